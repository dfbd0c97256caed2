"""The printer against mpmath, the lowering's carried powers, and the files that hold generated code."""

import math
import os
import re
import threading

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import rules
from optlab.codegen.lowering import lower
from optlab.codegen.module import cache_folder, content_hash, load, template
from optlab.codegen.printer import Printer
from optlab.codegen.rules import HEADER, constants_of, module_source
from optlab.ensemble.bind import step_table
from optlab.errors import InputError, OptlabError, UnsupportedError
from optlab.files import write_atomically
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, t, theta
from tests.rules.generated import Generated

a, b = symbol("a"), symbol("b")


def compiled(expressions, arguments=(a, b), dtype="float64"):
    """One module with functions f0, f1, ... of the expressions."""
    printer = Printer()
    bodies = [printer.function(f"f{i}", arguments, [], [e]) for i, e in enumerate(expressions)]
    module = load("\n\n".join([HEADER.format(what="a test", dtype=dtype), printer.helpers(), *bodies]))
    return [getattr(module, f"f{i}") for i in range(len(expressions))]


EXPRESSIONS = [
    a + b, a - b, -a - b, 2 * a - 3 * b, a * b / 7, -a / b, a / (b * (1 + a**2)), 1 / a / b, (a + b) * (a - b), -(a + b) * 2,
    a**2, a**3, a**16, a**-2, -(a**2), (-a) ** 2, (-a) ** 3, a**2 / b**2, (a + b) ** 2, 1 / (a + b) ** 2, 1 / (1 / a + 1 / b),
    sp.sqrt(a), 1 / sp.sqrt(a), a ** sp.Rational(3, 2), a ** sp.Rational(-3, 2), a ** sp.Rational(5, 2) * b, a**b, a ** sp.Rational(1, 3),
    a**-b, 2**a, sp.sqrt(a**2 + b**2), b / sp.sqrt(a), sp.sqrt(a) ** 3, a**20,
    sp.exp(a), sp.exp(-a), b * sp.exp(-a / 2), sp.exp(a) / sp.exp(2 * b), sp.log(a), sp.sin(a) * sp.cos(b), sp.tan(a),
    sp.tanh(a), sp.sinh(a), sp.cosh(a),
    sp.atan(a), sp.erf(a), sp.Abs(a - b), sp.Abs(a - b) ** 3, sp.asin(a / 100), sp.acos(a / 100),
    sp.floor(a * 3), sp.ceiling(a * 3), sp.sign(a - b), -sp.sign(b - a) * a,
    sp.Max(a, b), sp.Min(a, b), sp.Max(a, b, 1), sp.Min(a, b, 1), 2 - sp.Max(a, b), a * sp.Max(0, b - 1),
    3 * sp.Min(a, 1) - b, sp.Max(a, b) ** 2,
    sp.Piecewise((a, a < b), (b, True)), 1 - sp.Piecewise((a, a <= b), (2 * b, True)),
    a * sp.Piecewise((1, a > 1), (-1, a > sp.Rational(1, 2)), (0, True)),
    sp.Piecewise((1, sp.And(a > 1, b < 2)), (2, sp.Or(a > 5, b > 5)), (3, True)) ** 2, sp.Piecewise((1, sp.Ne(a, 1)), (2, True)),
    -sp.Piecewise((a, sp.Eq(a, 1)), (b, True)), sp.Piecewise((a, sp.Not(sp.And(a > 1, b > 1))), (b, True)),
    a + sp.Piecewise((a, a < b), (b, True)) / b,
    sp.pi * a, sp.E * a, sp.Rational(1, 3) * a, sp.Rational(-1, 3) * a - sp.Rational(7, 11), sp.Integer(3),
    sp.Rational(-1, 7), a / 3 - b / 3, -2 + a,
]  # fmt: skip
POINTS = [(0.25, 2.0), (1.0, 1.0), (1.5, 0.75), (3.0, 0.125), (7.3, 11.9), (1.0, 3.0)]


@pytest.fixture(scope="module")
def functions():
    return compiled(EXPRESSIONS)


def test_printed_expressions_against_mpmath(functions):
    for e, f in zip(EXPRESSIONS, functions, strict=True):
        reference = sp.lambdify((a, b), e, "mpmath")
        for at in POINTS:
            with mpmath.workdps(40):
                exact = reference(*map(mpmath.mpf, at))
                scale = max(1, *(abs(x) for x in at)) if e.is_Add or e.has(sp.Piecewise, sp.sin) else 0  # sums may cancel
                error = abs(mpmath.mpf(float(f(*at))) - exact)
                assert error <= mpmath.mpf("1e-14") * abs(exact) + mpmath.mpf("1e-15") * scale, (e, at)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_printed_expressions_at_drawn_points(functions, x, y):
    for e, f in zip(EXPRESSIONS, functions, strict=True):
        if e.has(sp.tan, sp.asin, sp.acos, sp.floor, sp.ceiling, sp.sign) or (e.has(sp.exp, sp.sinh, sp.cosh, sp.Pow) and max(x, y) > 10):
            continue  # steep or huge there; the fixed points cover them
        with mpmath.workdps(40):
            exact = sp.lambdify((a, b), e, "mpmath")(mpmath.mpf(x), mpmath.mpf(y))
            assert abs(float(f(x, y)) - exact) <= 1e-12 * abs(exact) + 1e-13 * (x + y), e


def test_float32_expressions_stay_float32():
    for e, f in zip(EXPRESSIONS, compiled(EXPRESSIONS, dtype="float32"), strict=True):
        f(np.float32(0.5), np.float32(0.25))
        (kind,) = f.nopython_signatures
        assert str(kind.return_type) == "float32", e


def test_sign_and_extrema_at_zero_nan_and_infinity():
    e = [sp.sign(a), sp.Max(a, b), sp.Min(a, b), sp.Max(a, 0), sp.Min(a, 0), sp.Abs(a)]
    sign, largest, least, relu, negative, size = compiled(e)
    nan, inf = math.nan, math.inf
    assert [sign(x, 0.0) for x in (3.0, -2.0, 0.0, inf, -inf)] == [1, -1, 0, 1, -1]
    assert math.copysign(1, sign(-0.0, 0.0)) == -1
    assert math.isnan(sign(nan, 0.0))
    assert (largest(inf, 1.0), largest(1.0, -inf), least(inf, 1.0), least(1.0, -inf)) == (inf, 1, 1, -inf)
    assert (relu(-3.0, 0.0), relu(3.0, 0.0), negative(-3.0, 0.0), negative(3.0, 0.0), size(-inf, 0.0)) == (0, 3, -3, 0, inf)
    for f, at in [
        (largest, (1.0, nan)),
        (least, (1.0, nan)),
        (relu, (nan, 0.0)),
        (negative, (nan, 0.0)),
        (largest, (nan, 1.0)),
        (least, (nan, 1.0)),
    ]:
        assert math.isnan(f(*at)), "a NaN must not vanish: NumPy's maximum and minimum keep it too"


def test_division_by_zero_gives_infinity_and_nan():
    quotient, root, logarithm = compiled([a / b, sp.sqrt(a), sp.log(a)])
    assert quotient(1.0, 0.0) == math.inf
    assert quotient(-1.0, 0.0) == -math.inf
    assert math.isnan(quotient(0.0, 0.0))
    assert math.isnan(root(-1.0, 0.0))
    assert logarithm(0.0, 0.0) == -math.inf


@pytest.mark.parametrize(
    "e", [sp.gamma(a), sp.Piecewise((a, a < b)), sp.oo * a, sp.Function("f")(a), sp.Integral(a, (a, 0, 1)), sp.nan], ids=str
)
def test_what_cannot_be_printed_is_said(e):
    with pytest.raises(UnsupportedError, match=r"no kernel code|no last branch"):
        compiled([e])


def test_shared_parts_are_computed_once():
    source = Printer().function("f", (a, b), [], [sp.sqrt(a**2 + b**2) + 1, 1 / sp.sqrt(a**2 + b**2)])
    assert source.count("math.sqrt") == 1


# --- names that the generated code uses itself ---

NAMES = [
    "step",
    "table",
    "F",
    "math",
    "np",
    "state",
    "gradient",
    "scalars",
    "constants",
    "carried",
    "rates",
    "new",
    "lane",
    "i",
    "x0",
    "x1",
    "s0",
    "s1",
    "s2",
    "k0",
    "k1",
    "k2",
    "power2",
    "sign",
    "update",
    "look",
    "abs",
    "float",
    "int",
    "min",
    "max",
    "range",
    "numba",
    "partial",
    "njit",
    "theta_",
    "theta_new",
    "m_new",
    "complement0",
    "power_0",
    "result",
    "row",
    "point",
    "philox",
    "E",
    "I",
    "pi",
    "N",
    "S",
    "Q",
    "beta",
    "gamma",
]


def twin_of_the_named_rule(x, s, gradient, n, rate, p):
    s = p * s + (1 - p) * gradient**2
    return x - rate * gradient / (math.sqrt(s / (1 - p**n)) + abs(1 - rate) / 8), s


def run_named_rule(state, parameter):
    s, p = symbol(state), symbol(parameter)
    root = sp.sqrt(s / (1 - p**t)) + sp.Abs(1 - alpha) / 8
    rule = Rule(
        name="named", parameters={p: Parameter("3/4", within="[0, 1)")}, state={s: State()},
        equations=((s, p * s + (1 - p) * g**2), (theta, theta - alpha * g / root)),
    )  # fmt: skip
    rates, gs = [0.5, 0.25, 2.0, 0.125], [1.0, -2.0, 0.5, 3.0]
    generated = Generated(rule, rates)
    x = x_twin = 1.0
    own, s_twin = generated.states, 0.0
    for n, (rate, gradient) in enumerate(zip(rates, gs, strict=True), 1):
        x, own = generated.step(x, own, gradient, n)
        x_twin, s_twin = twin_of_the_named_rule(x_twin, s_twin, gradient, n, rate, 0.75)
        assert x == pytest.approx(x_twin, rel=1e-13)
        assert own == pytest.approx([s_twin], rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_or_a_parameter_may_have_any_name(name):
    run_named_rule(name, "p")
    run_named_rule("s", name)


def test_states_whose_names_extend_each_other():
    m, n = symbol("m"), symbol("m_new")
    rule = Rule(name="pair", state={m: State(), n: State()}, equations=((m, m + g), (n, n + 2 * m), (theta, theta - alpha * (m + 10 * n))))
    assert Generated(rule, [1.0]).step(0.0, [1.0, 1.0], 1.0, 1) == (-52.0, [2.0, 5.0])


def test_the_whole_generated_module_stands_alone():
    """A helper that only the per-step table needs is part of the module that ``module_source`` shows."""
    rule = Rule(name="late", equations=((theta, theta - alpha * (2 + sp.sign(t - 3)) ** 3 * g),))
    module = load(module_source(rule))
    low = lower(rule)
    table = np.empty((4, len(low.step_values)))
    module.fill_table(np.ones(4), np.array(constants_of(rule)), np.zeros(len(low.carried)), table)
    assert np.array_equal(table, step_table(rule, np.ones(4)))
    assert [module.update(1.0, 0.0, *row) for row in table] == [-1.0, -1.0, -8.0, -27.0]


# --- bias correction, carried ---


@pytest.mark.parametrize("base", ["9/10", "999/1000", "9999/10000", "1/2", "0"])
def test_one_minus_a_power_is_carried_accurately(base):
    c = symbol("c")
    beta = symbol("beta")
    rule = Rule(name="power", parameters={beta: Parameter(base)}, equations=((c, 1 - beta**t), (theta, theta - g / c)))
    low = lower(rule)
    assert not any(e.has(beta**t) for _, e in [*low.program, *low.update])
    steps = 100_000
    table = step_table(rule, np.ones(steps))
    generated = Generated(rule, [1.0])
    with mpmath.workdps(40):
        exact_base = mpmath.mpf(sp.Rational(base).p) / sp.Rational(base).q
        for at in [*range(1, 40), 100, 999, 1000, 1001, 9999, 31_623, 99_999, 100_000]:
            exact = 1 / (1 - exact_base**at)
            found = -generated.module.update(1.0, 0.0, *generated.constants, *table[at - 1])
            assert abs(found - exact) <= 1e-12 * exact, at


def test_a_power_alone_is_carried_too():
    beta = symbol("beta")
    rule = Rule(name="power", parameters={beta: Parameter("9/10")}, equations=((theta, theta - g * beta**t),))
    table, generated = step_table(rule, np.ones(500)), Generated(rule, [1.0])
    for at in (1, 2, 10, 500):
        assert -generated.module.update(1.0, 0.0, *generated.constants, *table[at - 1]) == pytest.approx(0.9**at, rel=1e-12)


def test_constants_are_folded_exactly():
    """1 - 999/1000 is the double nearest to 1/1000, which 1 - 0.999 in doubles is not."""
    values = constants_of(rules.get("adam"))
    assert 0.001 in values
    assert 1 - 0.999 not in values


# --- generated files ---


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path))
    monkeypatch.setattr("optlab.codegen.module._loaded", {})
    return tmp_path / "kernels"


def test_a_file_is_named_by_its_content_and_written_once(empty_cache, tmp_path):
    one = load("VALUE = 1\n")
    path = empty_cache / f"{one.__name__}.py"
    assert one.VALUE == 1
    assert path.read_text() == "VALUE = 1\n"
    assert content_hash("VALUE = 1\n") in path.name
    before = path.stat().st_mtime_ns, path.stat().st_ino
    assert load("VALUE = 1\n") is one
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert load("VALUE = 2\n").VALUE == 2
    assert len(list(empty_cache.glob("*.py"))) == 2
    depended = tmp_path / "part.txt"
    depended.write_text("old")
    old = content_hash("VALUE = 1\n", (depended,))
    depended.write_text("new")
    assert len({old, content_hash("VALUE = 1\n", (depended,)), content_hash("VALUE = 1\n")}) == 3


def test_a_damaged_file_is_written_anew(empty_cache, monkeypatch):
    path = empty_cache / f"{load('VALUE = 3').__name__}.py"
    path.write_text("VALUE = ")
    monkeypatch.setattr("optlab.codegen.module._loaded", {})
    assert load("VALUE = 3").VALUE == 3


def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "file"
    write_atomically(path, b"old")
    assert path.read_bytes() == b"old"

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path, seen, stop = tmp_path / "file", set(), threading.Event()
    contents = [bytes([65 + k]) * 200_000 for k in range(2)]
    write_atomically(path, contents[0])

    def read():
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for k in range(60):
        write_atomically(path, contents[k % 2])
    stop.set()
    reader.join(10)
    assert seen <= set(contents)
    assert seen


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPTLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(OptlabError, match=r"OPTLAB_CACHE=.*cannot write there"):
        cache_folder()


def test_templates_begin_behind_their_mark(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("import x\n# --- template ---\nbody\n")
    assert template(path) == "body\n"


def test_generated_source_names_its_origin_and_holds_no_bare_constants():
    for rule in rules.builtin():
        source = module_source(rule, "float32")
        assert f"rule {rule.name}" in source
        update = source.split("def update")[1].split("@njit")[0]
        assert re.search(r"(?<!F\()(?<![\w.])\d+\.\d", update) is None, update


def test_a_rule_that_needs_a_norm_is_refused_before_any_code():
    with pytest.raises(InputError, match="norms"):
        Rule(name="lamb", equations=((theta, theta - alpha * g / sp.Function("norm")(g)),))
