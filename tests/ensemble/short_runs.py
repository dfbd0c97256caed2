"""A short run on a small quadratic, for tests of what a run is and of how it behaves."""

import optlab as ol

SPECTRUM = [0.02, 0.1, 0.3, 0.6, 1.0, 1.0]  # six coordinates: two Philox blocks, one of them partly used
START = [1.0, -2.0, 0.5, 3.0, -0.25, 1.5]
NOISY = {"spectrum": SPECTRUM, "theta0": START, "noise": 0.5}
PLAIN = {"spectrum": SPECTRUM, "theta0": START}


def noisy(rule="sgd", **options):
    """A short run whose every statistic is random."""
    defaults = {"schedule": 0.1, "steps": 12, "batch": 4, "trajectories": 300, "rng": 5, "record": [0, 1, 5, 12]}
    return ol.simulate(rule, ol.problems.quadratic(**NOISY), **(defaults | options))
