"""Simulating many trajectories of one optimizer, and predicting their moments exactly where the rule is linear."""
