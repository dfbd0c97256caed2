"""One question per file; each holds an :class:`~optlab.experiments.experiment.Experiment` named ``EXPERIMENT``."""
