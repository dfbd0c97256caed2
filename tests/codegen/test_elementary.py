"""The elementary functions against mpmath; lanes against plain numbers, bit for bit; the machine code they become."""

import math
import platform
import re
from functools import cache

import mpmath as mp
import numba as nb
import numpy as np
import pytest

from optlab.codegen import elementary
from optlab.codegen.elementary.format import F32, F64, horner
from optlab.codegen.lanes import fma, load, store
from optlab.codegen.tracing import traced
from tests.codegen import minimax

#: ulp the docstrings promise
BOUNDS = {
    "exp": 1, "expm1": 2, "log": 2, "log1p": 2, "sin": 2, "cos": 2, "tan": 2, "sinh": 2, "cosh": 2, "tanh": 2,
    "atan": 2, "asin": 2, "acos": 2, "erf": 2, "power": 1,
}  # fmt: skip
NAMES = list(BOUNDS)
DTYPES = (np.float64, np.float32)
#: where each function has its interest: beyond these, random bits
DENSE = {
    "exp": (-746, 710), "expm1": (-40, 710), "log": (0.5, 2), "log1p": (-1, 3), "sin": (-20, 20), "cos": (-20, 20), "tan": (-20, 20),
    "sinh": (-711, 711), "cosh": (-711, 711), "tanh": (-20, 20), "atan": (-3, 3), "asin": (-1, 1), "acos": (-1, 1), "erf": (-6, 6),
}  # fmt: skip
ODD = ("expm1", "log1p", "sin", "tan", "sinh", "tanh", "atan", "asin", "erf")
INF, NAN = math.inf, math.nan


def kernel_of(function, width, arguments):
    """A compiled loop: ``width`` lanes of the function at a time."""
    if arguments == 2:

        @traced
        def step(x, y, out, i):
            store(out, i, function(load(x, i, width), load(y, i, width)))

        @nb.njit
        def run(x, y, out):
            for i in range(0, out.size, width):
                step(x, y, out, i)

    else:

        @traced
        def step(x, out, i):
            store(out, i, function(load(x, i, width)))

        @nb.njit
        def run(x, out):
            for i in range(0, out.size, width):
                step(x, out, i)

    return run


@cache
def kernel(name, width):
    return kernel_of(getattr(elementary, name), width, 2 if name == "power" else 1)


def lanes(name, *args, width=8):
    """The function through a compiled kernel."""
    count = args[0].size
    padded = [np.concatenate([a, np.ones(-count % width, a.dtype)]) for a in args]
    out = np.empty_like(padded[0])
    kernel(name, width)(*padded, out)
    return out[:count]


def exact(name, *args):
    with mp.workdps(60):
        x = [mp.mpf(float(a)) for a in args]
        return mp.power(*x) if name == "power" else getattr(mp, name)(*x)


def ulps(got, truth, dtype):
    """The error of ``got`` in units of the last place of the truth."""
    info = np.finfo(dtype)
    if not math.isfinite(got):  # the truth must round to it
        return 0.0 if abs(truth) >= mp.mpf(float(info.max)) * (1 + mp.mpf(float(info.eps)) / 4) and (truth > 0) == (got > 0) else INF
    exponent = mp.frexp(truth)[1] if truth else -(10**6)
    return float(abs(mp.mpf(float(got)) - truth) / mp.ldexp(1, max(int(exponent) - info.nmant - 1, info.minexp - info.nmant)))


def points(name, dtype, count=700):
    """A dense grid, random bits, numbers of every size, and the neighbors of the ends."""
    rng = np.random.default_rng(7)
    low, high = DENSE[name]
    with np.errstate(over="ignore", invalid="ignore"):
        word = np.uint64 if dtype is np.float64 else np.uint32
        random = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize), count, dtype=word).view(dtype)
        sized = (10.0 ** rng.uniform(-6, 3, count) * rng.choice([-1, 1], count)).astype(dtype)
        x = np.concatenate([np.linspace(low, high, count).astype(dtype), random, sized])
        x = np.concatenate([x, np.nextafter(dtype([low, high]), dtype(0)), np.finfo(dtype).smallest_subnormal * dtype([1, 3, 1000])])
    if name in ("sin", "cos", "tan"):
        far = rng.uniform(-(2**20), 2**20, count).astype(dtype)
        near = (rng.integers(-667544, 667544, count) * (math.pi / 2)).astype(dtype)  # zeros and poles
        x = np.concatenate([x, far, near])
        return x[np.abs(x) <= 2**20]
    x = x[np.isfinite(x)]
    inside = {"log": x > 0, "log1p": x > -1, "asin": np.abs(x) <= 1, "acos": np.abs(x) <= 1}
    x = x[inside.get(name, np.ones(x.size, bool))]
    return x[np.abs(x) < 2e4] if name in ("exp", "expm1", "sinh", "cosh") else x


def power_points(dtype, count=2000):
    """Bases of every size, near 1 and subnormal, with exponents that make results of every size."""
    rng = np.random.default_rng(8)
    info = np.finfo(dtype)
    x = np.exp2(np.concatenate([rng.uniform(info.minexp - info.nmant, info.maxexp, count), rng.uniform(-1, 1, count)])).astype(dtype)
    x = np.concatenate([x, (1 + rng.normal(size=count) * 10 ** rng.uniform(-7, -1, count)).astype(dtype)])
    x = x[(x > 0) & (x != 1) & np.isfinite(x)]
    y = (rng.uniform(-1.1, 1.1, x.size) * float(info.maxexp) * math.log(2) / np.log(x.astype(float))).astype(dtype)
    return x, y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_error_is_within_the_bound(name, dtype):
    args = power_points(dtype) if name == "power" else (points(name, dtype),)
    got = lanes(name, *args, width=4 if dtype is np.float64 else 8)
    errors = [ulps(g, exact(name, *a), dtype) for g, *a in zip(got, *args, strict=True)]
    worst = int(np.argmax(errors))
    assert errors[worst] <= BOUNDS[name], (errors[worst], [a[worst] for a in args], got[worst])


SPECIAL = {
    "exp": [(0, 1), (INF, INF), (-INF, 0), (800, INF), (-800, 0)],
    "expm1": [(INF, INF), (-INF, -1), (800, INF), (-800, -1)],
    "log": [(0, -INF), (-0.0, -INF), (-1, NAN), (-1e-40, NAN), (-INF, NAN), (INF, INF), (1, 0)],
    "log1p": [(-1, -INF), (-2, NAN), (-INF, NAN), (INF, INF)],
    "sin": [(INF, NAN), (-INF, NAN)],
    "cos": [(INF, NAN), (-INF, NAN), (0, 1), (-0.0, 1)],
    "tan": [(INF, NAN), (-INF, NAN)],
    "sinh": [(INF, INF), (-INF, -INF), (800, INF), (-800, -INF)],
    "cosh": [(INF, INF), (-INF, INF), (800, INF), (-800, INF), (0, 1)],
    "tanh": [(INF, 1), (-INF, -1), (100, 1), (-100, -1)],
    "atan": [(INF, math.pi / 2), (-INF, -math.pi / 2)],
    "asin": [(1.0001, NAN), (-INF, NAN), (1, math.pi / 2), (-1, -math.pi / 2)],
    "acos": [(1.0001, NAN), (INF, NAN), (1, 0), (-1, math.pi)],
    "erf": [(INF, 1), (-INF, -1), (10, 1), (-10, -1)],
}


def same(a, b):
    """Equal bits, or both NaN."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype
    return np.array_equal(np.isnan(a), np.isnan(b)) and a[~np.isnan(a)].tobytes() == b[~np.isnan(b)].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype):
    tiny = float(np.finfo(dtype).smallest_subnormal)
    odd = [(0.0, 0.0), (-0.0, -0.0), (tiny, tiny), (-tiny, -tiny)] if name in ODD else []
    x, wanted = (np.array(column, dtype) for column in zip(*SPECIAL[name], *odd, (NAN, NAN), strict=True))
    assert same(lanes(name, x), wanted), (x, lanes(name, x), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_of_power_are_those_of_c(dtype):
    values = dtype([0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1.5, -1.5, 1e30, -1e30, 2**24 + 0.0, 2**24 - 1, 2**53, INF, -INF, NAN, 1e-40])
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype(np.longdouble), y.astype(np.longdouble)).astype(dtype)
    got = lanes("power", x, y)
    edge = ~np.isfinite(wanted) | (wanted == 0) | (np.abs(wanted) == 1)
    assert edge.sum() > 200
    assert same(got[edge], wanted[edge]), [t for t in zip(x[edge], y[edge], got[edge], wanted[edge], strict=True) if not same(*t[2:])][:5]
    np.testing.assert_allclose(got[~edge], wanted[~edge], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sine_and_cosine_stay_bounded_for_any_argument(dtype):
    x = np.concatenate([dtype(10.0) ** np.linspace(6, 38, 2000).astype(dtype), dtype([np.finfo(dtype).max])])
    assert np.abs(lanes("sin", x)).max() <= 1
    assert np.abs(lanes("cos", x)).max() <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_width_and_plain_python_give_the_same_bits(name, dtype):
    if name == "power":
        values = dtype([0, -0.0, 1, -1, -2, 3, 0.5, INF, -INF, NAN])
        grid = [a.ravel() for a in np.meshgrid(values, values)]
        args = tuple(np.concatenate([a[::50], b]) for a, b in zip(power_points(dtype), grid, strict=True))
    else:
        special = np.array([v for v, _ in SPECIAL[name]] + [0, -0.0, NAN, 1e300 if dtype is np.float64 else 1e38], dtype)
        args = (np.concatenate([points(name, dtype)[::17], special]),)
    wide = lanes(name, *args, width=8)
    assert same(wide, lanes(name, *args, width=4))
    assert same(wide, lanes(name, *args, width=1))
    function = getattr(elementary, name)
    plain = [function(*(a if dtype is np.float32 else float(a) for a in row)) for row in zip(*args, strict=True)]
    assert {type(p) for p in plain} == {np.float32 if dtype is np.float32 else float}
    assert same(wide, np.array(plain, dtype))


def test_power_takes_a_number_beside_lanes():
    run = kernel_of(lambda x: elementary.power(x, 1.5), 4, 1)
    x, out = np.linspace(0.1, 3, 8), np.empty(8)
    run(x, out)
    assert same(out, lanes("power", x, np.full(8, 1.5)))


@pytest.mark.parametrize("name", NAMES)
def test_float32_has_no_float64_and_nothing_is_called_or_branched(name):
    for dtype, foreign in ((np.float64, "float"), (np.float32, "double")):
        run = kernel_of(getattr(elementary, name), 8, 2 if name == "power" else 1)
        run(*[np.ones(8, dtype)] * (3 if name == "power" else 2))
        text = next(iter(run.inspect_llvm().values()))
        text = text[text.index("\ndefine ") :]
        text = text[: text.index("\n}")]  # the loop, without the wrappers that Python calls
        assert not re.search(rf"\b{foreign}\b", text)
        assert {c for c in re.findall(r"\bcall\b[^@\n]*@([\w.]+)", text) if not c.startswith("llvm.")} == set()
        assert f"<8 x {'double' if dtype is np.float64 else 'float'}>" in text
        assert len(re.findall(r"^\S+:", text, re.MULTILINE)) <= 9  # the loop's own blocks, unrolled or not
        if platform.machine() in ("x86_64", "AMD64"):
            code = next(iter(run.inspect_asm().values()))
            body = code[: code.index(".size")]
            packed = re.findall(r"\tv?f?n?(?:mul|add|m?add\d+)pd\b" if dtype is np.float64 else r"\tv?f?n?(?:mul|add|m?add\d+)ps\b", body)
            assert len(packed) >= 10
            assert not re.search(r"\tcall", body)


@pytest.mark.parametrize("fit", minimax.FITS)
def test_polynomials_are_as_near_as_their_fits_say(fit):
    record = minimax.FITS[fit]
    with mp.workdps(minimax.DIGITS):
        for kind, terms in record.terms.items():
            table = (F64 if kind == "double" else F32).coefficients[fit.split("_")[0]]
            assert len(table) == terms
            assert record.error(table) < mp.mpf(2) ** -record.bound[kind]


@pytest.mark.parametrize(("fit", "kind"), [("SIN", "double"), ("COS", "single"), ("EXP", "single")])
def test_fits_can_be_made_again(fit, kind):
    with mp.workdps(minimax.DIGITS):
        assert tuple(minimax.remez(minimax.FITS[fit], kind)) == tuple(map(float, (F64 if kind == "double" else F32).coefficients[fit]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_fma_rounds_once(dtype):
    rng = np.random.default_rng(3)
    with np.errstate(over="ignore"):
        x, y, z = (10.0 ** rng.uniform(-20, 25, (3, 4000)) * rng.choice([-1, 1], (3, 4000))).astype(dtype)
        z[::2] = (-x * y * dtype(1 + 2.0**-12)).astype(dtype)[::2]  # much cancels
    out = np.empty_like(x)

    @traced
    def step(x, y, z, out, i):
        store(out, i, fma(load(x, i, 8), load(y, i, 8), load(z, i, 8)))

    @nb.njit
    def run(x, y, z, out):
        for i in range(0, out.size, 8):
            step(x, y, z, out, i)

    run(x, y, z, out)
    with np.errstate(all="ignore"):
        assert same(out, np.array([fma(*row) for row in zip(x, y, z, strict=True)], dtype))


def test_schemes_of_evaluation_agree():
    x = 0.3
    assert abs(horner(F64.coefficients["EXP"], x) - F64.polynomial("EXP", x)) < 1e-15
