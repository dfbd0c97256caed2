"""Ensembles that the CUDA path is held against the CPU's on: tiny, every shape, every rule, every law of noise."""

import numpy as np

from optlab import problems

BASE = {"schedule": 0.05, "steps": 9, "trajectories": 3, "record": [0, 1, 4, 9], "keep": 3, "outcomes": True, "reach": [0.4, 0.2]}

QUADRATIC = "quadratic(condition_number=10, dim={dim}, noise=1{more})"
RULES = "sgd momentum nesterov ema_momentum rmsprop adam adamw adagrad nadam amsgrad adamax lion".split()


def quadratic(dim=4, more=""):
    return QUADRATIC.format(dim=dim, more=more and ", " + more)


_DRAWN = np.random.default_rng(5)
_X = _DRAWN.normal(size=(7, 100))
_Y = _X[:, :20] @ _DRAWN.normal(size=20) + 0.3 * _DRAWN.normal(size=7)


def rows(kind, d, **options):
    """A table of 7 rows and d columns; labels of a logistic regression are signs."""
    targets = np.sign(_Y) if kind == "logistic_regression" else _Y
    return getattr(problems, kind)(_X[:, :d], targets, **options)


#: name -> (rule, problem, options beside BASE)
CASES = {rule: (rule, quadratic(3), {}) for rule in RULES} | {
    "float32": ("adam", quadratic(4), {"dtype": "float32"}),
    "one coordinate": ("momentum", "quadratic(spectrum=[0.7], noise=1)", {"dtype": "float32", "steps": 13, "record": [0, 13]}),
    "blocks within a step": ("sgd", quadratic(8), {}),
    "loop over coordinates": ("nesterov", quadratic(18), {"steps": 3, "record": [0, 3]}),
    "arrays in global memory": ("momentum", quadratic(150), {"steps": 2, "record": [0, 2], "coordinates": False}),
    "no noise": ("adam", "quadratic(condition_number=10, dim=3)", {}),
    "scattered starts": ("sgd", quadratic(3, "theta0='normal'"), {}),
    "schedule": ("momentum", quadratic(2), {"schedule": "warmup_cosine(peak=0.2, warmup=3, steps=9)"}),
    "rotation": ("nesterov", quadratic(5, "rotation=3"), {}),
    "rotation in float32": ("adam", quadratic(6, "rotation=3"), {"dtype": "float32"}),
    "student t": ("momentum", quadratic(3, "noise_law='student_t(dof=5)'"), {"batch": 3}),
    "student t of 53 bits": ("sgd", quadratic(2, "noise_law='student_t(dof=5)'"), {"uniform_bits": 53}),
    "multiplicative": ("sgd", quadratic(3, "noise_law='multiplicative'"), {"batch": 2}),
    "53 bits": ("sgd", quadratic(3), {"uniform_bits": 53}),
    "fresh samples": ("lion", "line_fit()", {"batch": 2}),
    "fresh samples in float32": ("nesterov", "line_fit()", {"dtype": "float32"}),
    "rows": ("momentum", rows("least_squares", 3), {"batch": 5}),
    "a subset of the rows": ("momentum", rows("least_squares", 3, sampling="subset"), {"batch": 4}),
    "epochs of rows": ("momentum", rows("least_squares", 3, sampling="reshuffle"), {"batch": 3}),
    "all rows": ("momentum", rows("least_squares", 3), {"batch": None}),
    "rows in float32": ("momentum", rows("least_squares", 5), {"batch": 6, "dtype": "float32"}),
    "many columns": ("sgd", rows("least_squares", 20), {"batch": 2, "steps": 3, "record": [0, 3], "dtype": "float32"}),
    "rows in global memory": (
        "nesterov",
        rows("least_squares", 100),
        {"batch": 2, "steps": 2, "record": [0, 2], "coordinates": False, "keep": 0},
    ),
    "rows and noise": ("nesterov", rows("huber_regression", 3, noise=0.3, noise_law="student_t(dof=5)"), {"batch": 4}),
    "rows that are classified": ("adam", rows("logistic_regression", 6, sampling="reshuffle"), {"batch": 4, "steps": 5, "record": [0, 5]}),
    "expression": ("nesterov", "symbolic('x**2 + 10*y**2 + sin(x)*exp(y) + Abs(x) + tanh(y)', noise=0.3)", {}),
    "a hundred steps": ("adam", quadratic(4), {"steps": 100, "record": [0, 100], "trajectories": 70, "keep": 70, "reach": []}),
    "divergence": ("sgd", quadratic(3), {"schedule": 40.0, "steps": 14, "record": [0, 7, 14], "limit": 1e6}),
    "divergence to infinity": ("sgd", quadratic(2), {"schedule": 1e30, "dtype": "float32"}),
}


def options_of(name):
    rule, problem, more = CASES[name]
    return {"rule": rule, "problem": problem, **BASE, **more}
