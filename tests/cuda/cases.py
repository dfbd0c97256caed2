"""Ensembles that the CUDA path is held against the CPU's on: tiny, every shape, every rule, every law of noise."""

BASE = {"schedule": 0.05, "steps": 9, "trajectories": 3, "record": [0, 1, 4, 9], "keep": 3, "outcomes": True, "reach": [0.4, 0.2]}

QUADRATIC = "quadratic(condition_number=10, dim={dim}, noise=1{more})"
RULES = "sgd momentum nesterov ema_momentum rmsprop adam adamw adagrad nadam amsgrad adamax lion".split()


def quadratic(dim=4, more=""):
    return QUADRATIC.format(dim=dim, more=more and ", " + more)


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
    "expression": ("nesterov", "symbolic('x**2 + 10*y**2 + sin(x)*exp(y) + Abs(x) + tanh(y)', noise=0.3)", {}),
    "a hundred steps": ("adam", quadratic(4), {"steps": 100, "record": [0, 100], "trajectories": 70, "keep": 70, "reach": []}),
    "divergence": ("sgd", quadratic(3), {"schedule": 40.0, "steps": 14, "record": [0, 7, 14], "limit": 1e6}),
    "divergence to infinity": ("sgd", quadratic(2), {"schedule": 1e30, "dtype": "float32"}),
}


def options_of(name):
    rule, problem, more = CASES[name]
    return {"rule": rule, "problem": problem, **BASE, **more}
