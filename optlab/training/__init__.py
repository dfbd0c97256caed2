"""Training: epochs of steps on data, with what is measured, kept and resumed.

The loop knows a model only as a :class:`~optlab.training.learner.Learner`, and data only as a :class:`~optlab.training.task.Task`.
"""
