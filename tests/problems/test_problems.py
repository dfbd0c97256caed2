"""Problems: spectra, derived gradients, population losses, and what they refuse."""

import math
import re
from functools import partial

import numpy as np
import pytest
import scipy.integrate
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import problems
from optlab.ensemble.bind import hessian, problem_data, rotation_matrix
from optlab.errors import InputError
from optlab.symbols import lam, symbol, y, z
from tests.oracles.philox import ROTATION, common_key, normals

# --- spectra ---


@given(st.floats(1, 1e8), st.integers(2, 60), st.floats(1e-3, 1e3), st.sampled_from(["log", "two_point", "uniform"]))
def test_named_spectra_run_from_the_least_to_the_largest(kappa, dim, largest, kind):
    spectrum = np.array(problems.quadratic(condition_number=kappa, dim=dim, L=largest, spectrum=kind).spectrum)
    assert len(spectrum) == dim
    assert spectrum[0] == largest / kappa
    assert spectrum[-1] == largest
    assert np.all(np.diff(spectrum) >= -1e-12 * largest)
    if kind == "log":
        assert np.allclose(spectrum, np.geomspace(largest / kappa, largest, dim), rtol=1e-12)
    elif kind == "uniform":
        assert np.allclose(spectrum, np.linspace(largest / kappa, largest, dim), rtol=1e-12)
    else:
        assert set(spectrum) <= {largest / kappa, largest}
        assert abs(np.sum(spectrum == spectrum[0]) - dim / 2) <= 1 or kappa == 1


def test_a_spectrum_of_numbers_is_kept_and_its_start_read():
    problem = problems.quadratic(spectrum=[3, 0.5], theta0=[1, -2], noise=0.25)
    assert problem.spectrum == (3.0, 0.5)
    assert problem.start.point == (1.0, -2.0)
    assert problem.start.scatter == 0
    assert problem.noise == 0.25
    assert np.array_equal(hessian(problem), np.diag([3, 0.5]))
    assert problems.quadratic(spectrum=[1.0], theta0="normal").start.scatter == 1
    assert problems.quadratic(spectrum=np.array([1.0, 2.0])).spectrum == (1.0, 2.0)


@pytest.mark.parametrize("theta0", [np.array([1.0, 2.0]), (1, 2), [1.0, 2.0]], ids=["array", "tuple", "list"])
def test_a_start_may_be_any_sequence(theta0):
    assert problems.quadratic(spectrum=[1.0, 1.0], theta0=theta0).start.point == (1.0, 2.0)
    assert problems.least_squares([[1.0, 0.0]], [1.0], theta0=theta0).start.point == (1.0, 2.0)


# --- rotations ---


@pytest.mark.parametrize("dim", [1, 2, 5, 12])
def test_a_rotation_is_orthogonal_and_seeded(dim):
    q = rotation_matrix(dim, 7)
    assert np.allclose(q @ q.T, np.eye(dim), atol=1e-14)
    assert np.array_equal(q, rotation_matrix(dim, 7))
    if dim > 1:
        assert not np.allclose(q, rotation_matrix(dim, 8))


def test_a_rotation_is_the_orthogonal_factor_of_the_twins_normals():
    gaussian = np.array([normals(i, 0, ROTATION, 5, common_key(7)) for i in range(5)])
    columns = []  # Gram and Schmidt, by hand: the factor whose triangle has a positive diagonal
    for column in gaussian.T:
        for done in columns:
            column = column - (done @ column) * done
        columns.append(column / np.sqrt(column @ column))
    assert np.allclose(rotation_matrix(5, 7), np.array(columns).T, atol=1e-12)


def test_a_rotation_is_haar():
    """Under Haar, q_ij has mean 0 and E q_ij^2 = 1/d, E q_ij^4 = 3/(d(d+2)), so over N draws z is near N(0, 1).

    4 entries, two tests each, |z| <= 7: false alarm below 8 * 2.6e-12 by the normal law (N = 400; the seeds are fixed).
    """
    d, count = 3, 400
    entries = np.array([rotation_matrix(d, seed)[:2, :2].ravel() for seed in range(count)])
    first = entries.mean(0) / math.sqrt(1 / d / count)
    second = ((entries**2).mean(0) - 1 / d) / math.sqrt((3 / (d * (d + 2)) - 1 / d**2) / count)
    assert np.abs(first).max() <= 7
    assert np.abs(second).max() <= 7


def test_a_rotated_hessian_keeps_its_spectrum():
    problem = problems.quadratic(condition_number=50, dim=6, rotation=3)
    assert np.allclose(np.linalg.eigvalsh(hessian(problem)), problem.spectrum, rtol=1e-12)
    assert not np.allclose(hessian(problem), np.diag(problem.spectrum))


# --- gradients are derivatives ---


def slope(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


def value(expression, **at):
    return float(expression.xreplace({symbol(k): sp.Float(v, 30) for k, v in at.items()}))


@given(st.floats(-10, 10), st.floats(0.01, 10))
def test_pieces_of_quadratics_and_least_squares(u, w):
    quadratic = problems.quadratic(spectrum=[1.0]).expressions()
    assert value(quadratic["loss"], z=u, lam=w) == pytest.approx(w * u * u / 2, rel=1e-14)
    assert value(quadratic["gradient"], z=u, lam=w) == pytest.approx(w * u, rel=1e-14)
    assert quadratic["curvature"] == lam
    for convention, factor in (("half", 0.5), ("full", 1.0)):
        rows = problems.least_squares([[1.0]], [1.0], convention=convention).expressions()
        assert value(rows["loss"], z=u, y=w) == pytest.approx(factor * (u - w) ** 2, rel=1e-14, abs=1e-300)
        assert value(rows["gradient"], z=u, y=w) == pytest.approx(2 * factor * (u - w), rel=1e-14, abs=1e-300)
        assert rows["curvature"] == 2 * sp.nsimplify(factor)


ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"


def by_hand(w, x):
    return math.exp(x) * math.sin(w) + x**3 * w - math.log(2 + w * w)


def test_a_symbolic_gradient_is_the_central_difference():
    problem = problems.symbolic("exp(x)*sin(w) + x**3*w - log(2 + w**2)")
    assert [str(c) for c in problem.coordinates] == ["w", "x"]
    rng = np.random.default_rng(4)
    for _ in range(20):
        w, x = rng.uniform(-2, 2, 2)
        formulas = problem.expressions()
        assert value(formulas["loss"], w=w, x=x) == pytest.approx(by_hand(w, x), rel=1e-12)
        assert value(formulas["gradient0"], w=w, x=x) == pytest.approx(slope(partial(by_hand, x=x), w), rel=1e-6, abs=1e-7)
        assert value(formulas["gradient1"], w=w, x=x) == pytest.approx(slope(partial(by_hand, w), x), rel=1e-6, abs=1e-7)


def test_symbolic_coordinates_in_the_order_asked_for():
    problem = problems.symbolic(ROSENBROCK, coordinates=["y", "x"], theta0=[1, -1])
    assert [str(c) for c in problem.coordinates] == ["y", "x"]
    assert sp.expand(problem.expressions()["gradient0"] - 200 * (symbol("y") - symbol("x") ** 2)) == 0


# --- the line fit ---


@pytest.mark.parametrize("convention", ["half", "full"])
@pytest.mark.parametrize("noise", [0.0, 0.1, 1.5])
def test_the_population_loss_is_the_integral(convention, noise):
    problem = problems.line_fit(convention=convention, label_noise=noise, slope=2.0, intercept=1.0)
    factor = {"half": 0.5, "full": 1.0}[convention]
    w, b = problem.coordinates
    for at in [(0.0, 0.0), (2.0, 1.0), (-1.5, 0.7), (3.0, -4.0)]:
        density = lambda e: math.exp(-e * e / 2) / math.sqrt(2 * math.pi)  # noqa: E731
        inside = lambda e, x: factor * (at[0] * x + at[1] - (2 * x + 1 + noise * e)) ** 2 * density(e) / 2  # noqa: B023, E731
        integral, _ = scipy.integrate.dblquad(inside, -1, 1, -12, 12, epsabs=1e-10)
        assert float(problem.objective().subs({w: at[0], b: at[1]})) == pytest.approx(integral, rel=1e-8, abs=1e-9)
    assert problem.minimum == pytest.approx(factor * noise**2)
    assert float(problem.objective().subs({w: 2, b: 1})) == pytest.approx(problem.minimum, abs=1e-15)


# --- tables ---


def test_least_squares_reads_lists_and_arrays_alike():
    rows, targets = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [1.0, 0.0, 2.0]
    by_list = problems.least_squares(rows, targets)
    by_array = problems.least_squares(np.asfortranarray(rows), np.array(targets, np.float32))
    assert by_list == by_array
    assert (by_list.n, by_list.dim) == (3, 2)
    data = problem_data(by_array)
    assert np.array_equal(data.matrix, rows)
    assert np.array_equal(data.targets, targets)


def test_fingerprints_tell_problems_apart():
    made = [
        problems.quadratic(spectrum=[1.0, 2.0]),
        problems.quadratic(spectrum=[1.0, 2.5]),
        problems.quadratic(spectrum=[1.0, 2.0], rotation=1),
        problems.quadratic(spectrum=[1.0, 2.0], noise=1),
        problems.quadratic(spectrum=[1.0, 2.0], theta0=2),
        problems.quadratic(spectrum=[1.0, 2.0], theta0="normal"),
        problems.least_squares([[1.0, 2.0]], [1.0]),
        problems.least_squares([[1.0, 2.0]], [2.0]),
        problems.least_squares([[1.0, 3.0]], [1.0]),
        problems.least_squares([[1.0, 2.0]], [1.0], sampling="subset"),
        problems.least_squares([[1.0, 2.0]], [1.0], convention="full"),
        problems.line_fit(),
        problems.line_fit(label_noise=0.1),
        problems.line_fit(slope=3),
        problems.symbolic("x**2 + w**2"),
        problems.symbolic("x**2 + 2*w**2"),
    ]
    assert len({problem.fingerprint for problem in made}) == len(made)
    assert problems.quadratic(spectrum=[1.0, 2.0]) == made[0]
    assert problems.quadratic(condition_number=2, dim=2, L=2.0) == made[0]  # the same numbers, made otherwise


@pytest.mark.parametrize(
    "text", ["quadratic(condition_number=100, dim=5, noise=0.5)", "line_fit(convention='full')", "symbolic('x**2 + y**2')"]
)
def test_problems_by_text(text):
    problem = problems.get(text)
    assert problems.get(problem) is problem
    assert problem.name == text.split("(")[0]


# --- what is refused ---

quadratic, least_squares, symbolic = problems.quadratic, problems.least_squares, problems.symbolic
nan = float("nan")
BAD = {
    "curvature": (lambda: quadratic(spectrum=[1.0, 0.0]), r"spectrum\[1\] = 0.0 must be a finite number above 0"),
    "negative curvature": (lambda: quadratic(spectrum=[-1.0]), r"spectrum\[0\] = -1.0"),
    "empty": (lambda: quadratic(spectrum=[]), "spectrum is empty"),
    "condition number": (lambda: quadratic(condition_number=0.5, dim=3), "condition_number = 0.5 must be a finite number of at least 1"),
    "one dimension": (lambda: quadratic(condition_number=10, dim=1), "needs dim >= 2"),
    "dim": (lambda: quadratic(condition_number=10, dim=2.5), "dim = 2.5 must be a whole number"),
    "nan dim": (lambda: quadratic(condition_number=10, dim=nan), "dim = nan must be a whole number"),
    "kind": (lambda: quadratic(spectrum="logg", condition_number=10, dim=3), "unknown spectrum 'logg'; did you mean 'log'"),
    "both": (lambda: quadratic(spectrum=[1.0], condition_number=10), "not both"),
    "noise": (lambda: quadratic(spectrum=[1.0], noise=-1), "noise = -1 must be a finite number of at least 0"),
    "nan noise": (lambda: quadratic(spectrum=[1.0], noise=nan), "noise = nan"),
    "L": (lambda: quadratic(condition_number=10, dim=2, L=0), "L = 0 must be a finite number above 0"),
    "start": (lambda: quadratic(spectrum=[1.0], theta0="far"), "theta0 = 'far' is not a start"),
    "start length": (lambda: quadratic(spectrum=[1.0], theta0=[1, 2]), "theta0 has 2 numbers but the problem has 1 coordinates"),
    "nan start": (lambda: quadratic(spectrum=[1.0], theta0=[nan]), r"theta0\[0\] = nan"),
    "rotation": (lambda: quadratic(spectrum=[1.0], rotation=-1), "rotation = -1 must be a whole number of at least 0"),
    "rotation half": (lambda: quadratic(spectrum=[1.0], rotation=1.5), "rotation = 1.5 must be a whole number"),
    "rotation text": (lambda: quadratic(spectrum=[1.0], rotation="x"), "rotation = 'x' must be a whole number"),
    "no rows": (lambda: least_squares([], []), "no rows"),
    "no columns": (lambda: least_squares([[]], [1.0]), "at least one column"),
    "ragged": (lambda: least_squares([[1.0], [1.0, 2.0]], [1.0, 2.0]), "row 1 has 2 numbers but row 0 has 1"),
    "targets": (lambda: least_squares([[1.0], [2.0]], [1.0]), "2 rows but 1 targets"),
    "targets of two columns": (lambda: least_squares(np.ones((3, 1)), np.ones((3, 2))), "targets"),
    "text": (lambda: least_squares([["a"]], [1.0]), "rows holds something that is not a number"),
    "text array": (lambda: least_squares(np.array([["a"]]), [1.0]), "rows holds something that is not a number"),
    "nan": (lambda: least_squares([[1.0], [nan]], [1.0, 2.0]), "rows: entry 1 is nan"),
    "infinite target": (lambda: least_squares([[1.0]], [math.inf]), "targets: entry 0 is inf"),
    "flat rows": (lambda: least_squares(np.ones(3), np.ones(3)), r"rows has shape \(3,\)"),
    "list of numbers": (lambda: least_squares([1.0, 2.0], [1.0, 2.0]), "row"),
    "sampling": (lambda: least_squares([[1.0]], [1.0], sampling="shuffle"), "sampling = 'shuffle' is unknown"),
    "convention": (lambda: least_squares([[1.0]], [1.0], convention="halve"), "unknown convention 'halve'; did you mean 'half'"),
    "row noise": (lambda: least_squares([[1.0]], [1.0], noise=-1), "noise = -1"),
    "row noise text": (lambda: least_squares([[1.0]], [1.0], noise="x"), "noise = 'x'"),
    "label noise": (lambda: problems.line_fit(label_noise=-0.1), "label_noise = -0.1"),
    "slope": (lambda: problems.line_fit(slope="steep"), "slope = 'steep' is not a number"),
    "number": (lambda: symbolic("3"), "'3' is no objective"),
    "formula": (lambda: symbolic("x +* y"), "cannot read the formula"),
    "undefined function": (lambda: symbolic("f(x)"), "cannot read the formula"),
    "attribute": (lambda: symbolic("x.__class__"), "cannot read the formula"),
    "coordinates": (lambda: symbolic("x**2", coordinates=["w"]), "do not match the symbols"),
    "name": (lambda: problems.get("quadratik"), "unknown problem 'quadratik'; did you mean 'quadratic'"),
    "option": (lambda: problems.get("quadratic(kappa=3)"), "unknown option of quadratic 'kappa'"),
    "no problem": (lambda: problems.get(3), "3 is no problem"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    attempt, message = BAD[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


def test_the_symbols_of_the_records_are_the_shared_ones():
    assert problems.quadratic(spectrum=[1.0]).loss.free_symbols == {lam, z}
    assert problems.least_squares([[1.0]], [1.0]).loss.free_symbols == {z, y}
