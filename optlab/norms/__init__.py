"""Normalization layers, one per file."""
