"""Laws of gradient noise: how they are read, what they change in labels and fingerprints, what is refused."""

import math
import re

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from optlab import problems
from optlab.errors import InputError, UnknownNameError
from optlab.objectives import GAUSSIAN, NoiseLaw

TAKE_NOISE = {
    "quadratic": lambda **noise: problems.quadratic(spectrum=[1.0, 0.5], **noise),
    "symbolic": lambda **noise: problems.symbolic("x**2 + w**4", **noise),
    "least_squares": lambda **noise: problems.least_squares([[1.0], [2.0]], [1.0, 2.0], **noise),
    "logistic_regression": lambda **noise: problems.logistic_regression([[1.0], [2.0]], [0, 1], **noise),
    "huber_regression": lambda **noise: problems.huber_regression([[1.0], [2.0]], [0, 1], **noise),
}

#: Of version 0.1: what is kept under them must be found again.
FINGERPRINTS = {"quadratic": "75fb237449d80430", "symbolic": "b79133627d6a4653", "least_squares": "99ad208590df7b92"}


@given(st.floats(2, 1e6, exclude_min=True))
def test_any_dof_above_two(dof):
    law = NoiseLaw.read(f"student_t(dof={dof!r})")
    assert law == NoiseLaw("student_t", dof) == NoiseLaw.read(str(law))
    assert law.unit**2 * scipy.stats.t(dof).var() == pytest.approx(1, rel=1e-6)


def test_how_laws_are_read():
    assert NoiseLaw.read("gaussian") == GAUSSIAN == NoiseLaw()
    assert NoiseLaw.read("student_t") == NoiseLaw("student_t", 5)
    assert str(NoiseLaw("student_t", 2.5)) == "student_t(dof=2.5)"
    assert NoiseLaw.read(NoiseLaw("multiplicative")).kind == "multiplicative"
    assert [NoiseLaw.read(kind).additive for kind in ("gaussian", "student_t", "multiplicative")] == [True, True, False]
    assert NoiseLaw("multiplicative").unit == GAUSSIAN.unit == 1


@pytest.mark.parametrize("name", TAKE_NOISE)
def test_the_default_law_changes_nothing(name):
    make = TAKE_NOISE[name]
    plain, spelled = make(noise=0.5), make(noise=0.5, noise_law="gaussian")
    assert plain.noise_law == GAUSSIAN
    assert (plain.label(), plain.numbers(), plain.fingerprint) == (spelled.label(), spelled.numbers(), spelled.fingerprint)
    assert "noise_law" not in plain.numbers()
    assert "noise_law" not in plain.options
    assert make(noise_law="gaussian").noise == 0
    if name in FINGERPRINTS:
        assert plain.fingerprint == FINGERPRINTS[name]


@pytest.mark.parametrize("name", TAKE_NOISE)
def test_another_law_is_another_problem(name):
    make = TAKE_NOISE[name]
    laws = ["gaussian", "student_t(dof=5)", "student_t(dof=2.5)", "multiplicative"]
    made = [make(noise=0.5, noise_law=law) for law in laws]
    assert len({problem.fingerprint for problem in made}) == len(made)
    for law, problem in zip(laws[1:], made[1:], strict=True):
        assert problem.numbers()["noise_law"] == law
        assert problem.label().endswith(f"noise=0.5, noise_law={law})")
    assert make(noise=0.5, noise_law="student_t") == made[1]
    assert make(noise=0.5, noise_law=NoiseLaw("multiplicative")) == made[3]


@pytest.mark.parametrize("law", ["student_t(dof=3)", "'student_t(dof=3)'", "multiplicative", "student_t"])
def test_problems_by_text_and_by_their_label(law):
    problem = problems.get(f"quadratic(condition_number=10, dim=3, noise=0.5, noise_law={law})")
    assert problem.noise_law == NoiseLaw.read(law.strip("'"))
    assert problems.get(problem.label()) == problem


quadratic = TAKE_NOISE["quadratic"]
BAD = {
    "no variance": (lambda: quadratic(noise=1, noise_law="student_t(dof=2)"), r"student_t\(dof=2\) has no variance: dof must be above 2"),
    "no mean either": (lambda: NoiseLaw("student_t", 1.0), "has no variance"),
    "infinite dof": (lambda: NoiseLaw("student_t", math.inf), "noise_law: dof = inf must be a finite number"),
    "dof of text": (lambda: NoiseLaw.read("student_t(dof=few)"), "dof = 'few' is not a number"),
    "dof by place": (lambda: NoiseLaw.read("student_t(5)"), "the only option is dof, by name"),
    "another option": (lambda: NoiseLaw.read("student_t(df=5)"), "the only option is dof, by name"),
    "dof of the Gaussian": (lambda: NoiseLaw.read("gaussian(dof=5)"), "only student_t has degrees of freedom"),
    "half a call": (lambda: quadratic(noise=1, noise_law="student_t(dof"), "cannot read"),
    "code": (lambda: problems.get("quadratic(spectrum=[1.0], noise_law=print(1))"), "cannot read 'quadratic"),
    "code by name": (lambda: problems.get("quadratic(spectrum=[1.0], noise_law=f(x=print(1)))"), "cannot read 'quadratic"),
    "a method": (lambda: problems.get("quadratic(spectrum=[1.0], noise_law=a.b(x=1))"), "cannot read 'quadratic"),
    "a spread": (lambda: problems.get("quadratic(spectrum=[1.0], noise_law=f(**x))"), "cannot read 'quadratic"),
    "a number": (lambda: quadratic(noise=1, noise_law=3), "noise_law = 3 is no law"),
} | {
    f"{name}: {law} without noise": (lambda make=make, law=law: make(noise_law=law), f"noise_law = '{law}.*' needs noise above 0")
    for name, make in TAKE_NOISE.items()
    for law in ("student_t", "multiplicative")
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    attempt, message = BAD[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", TAKE_NOISE.values(), ids=TAKE_NOISE)
def test_an_unknown_law_names_the_nearest(make):
    with pytest.raises(UnknownNameError, match="unknown noise_law 'student'; did you mean 'student_t'"):
        make(noise=1, noise_law="student")
    with pytest.raises(UnknownNameError, match="unknown noise_law"):
        NoiseLaw("cauchy")
