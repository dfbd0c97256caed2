"""The kernel's source: the same in every process, and right for coordinates of any name."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

import optlab as ol
from tests.ensemble.interpreted import interpret

NAMES = (
    "x0 x1 theta point gradient group lanes WIDTH STATES fma select bits real load store "
    "exp sqrt total normals rounds at uniform_draw NEVER BITS "
    "F math np i j row work state new parts losses objective full_gradient power2 "
    "power3 "
    "range abs_ z y lam alpha g t L n B T sigma first step key0 e w b"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_a_coordinate_may_have_any_name(name):
    problem = ol.problems.symbolic(f"{name}**3*v + sqrt(1 + {name}**2)*v**2 + v*abs({name})", coordinates=[name, "v"], theta0=[0.5, -2.0])
    space = interpret(ol.rules.get("sgd"), problem, None)
    x, v = 0.5, -2.0
    theta, gradient, losses = np.array([x, v]), np.empty(2), np.empty(1)
    space["put_gradient"](gradient, theta, 0, 1)
    space["put_loss"](losses, theta, 0, 1)
    root = math.sqrt(1 + x**2)
    assert losses[0] == pytest.approx(x**3 * v + root * v**2 + abs(x) * v, rel=1e-14)
    assert gradient == pytest.approx([3 * x**2 * v + x / root * v**2 + v, x**3 + 2 * root * v + abs(x)], rel=1e-14)


SOURCES = """
import hashlib, itertools
import optlab as ol
from optlab.codegen.rules import module_source
from optlab.ensemble.kernel import kernel_source
made = [ol.problems.quadratic(spectrum=[1.0]), ol.problems.line_fit(label_noise=0.1), ol.problems.least_squares([[1.0]], [1.0])]
made.append(ol.problems.symbolic("exp(x)*sin(w) + x**3*w*u - log(2 + w**2)*u**2 + (1 - x)**2 + 100*(w - x**2)**2"))
for rule in ol.rules.builtin():
    for values in itertools.product(*rule.variants.values()):
        chosen = rule.with_(**dict(zip(rule.variants, values)))
        print(chosen.label(), chosen.fingerprint, hashlib.sha256(module_source(chosen).encode()).hexdigest())
for problem in made:
    source = kernel_source(ol.rules.get("adamw"), problem, "float32")
    print(problem.label(), problem.fingerprint, hashlib.sha256(source.encode()).hexdigest())
"""


def test_every_process_generates_the_same_source():
    """Else files and machine code would pile up, and bits could differ between runs of the same seed."""
    outputs = set()
    for seed in ("1", "2", "77"):
        done = subprocess.run(
            [sys.executable, "-c", SOURCES],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        assert done.stdout.count("\n") == 83 + 4
        outputs.add(done.stdout)
    assert len(outputs) == 1
