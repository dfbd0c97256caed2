"""Generated updates against hand-written twins, and what a rule refuses."""

import itertools
import re
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from optlab import rules
from optlab.ensemble.bind import step_table
from optlab.errors import InputError, UnknownNameError
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
from tests.oracles import RULES
from tests.rules.generated import Generated, as_options, gradients, module

STEPS = 1000


def variants(name):
    """Every combination of the rule's variants."""
    record = rules.get(name).variants
    for chosen in itertools.product(*record.values()):
        yield dict(zip(record, chosen, strict=True))


CASES = [(name, chosen) for name in rules.names() for chosen in variants(name)]
IDS = ["-".join([name, *chosen.values()]) for name, chosen in CASES]


def test_every_builtin_rule_has_a_twin_with_the_same_options():
    assert set(RULES) == set(rules.names())
    for name, twin in RULES.items():
        assert as_options(rules.get(name)) == twin.DEFAULTS  # defaults and variants are typed twice on purpose


def test_the_variants_that_the_twins_spell_out_all_exist():
    found = {name: {key: set(options) for key, options in rules.get(name).variants.items()} for name in rules.names()}
    eps = {"eps_placement": {"inside", "outside", "both", "before_correction"}}
    adam = eps | {"bias_correction": {"on", "off"}}
    assert found == {
        "sgd": {},
        "momentum": {"learning_rate": {"inside", "outside"}, "dampening": {"none", "after_first"}},
        "nesterov": {"form": {"look_ahead", "rewritten"}, "learning_rate": {"inside", "outside"}},
        "ema_momentum": {"first_step": {"zero", "gradient"}},
        "rmsprop": {"eps_placement": {"inside", "outside"}, "first_step": {"zero", "one", "given"}, "bias_correction": {"off", "on"}},
        "adam": adam,
        "adamw": adam | {"decay": {"decoupled", "coupled"}},
        "adagrad": {"eps_placement": {"inside", "outside"}},
        "nadam": eps | {"momentum": {"rising", "constant"}},
        "amsgrad": eps | {"bias_correction": {"off", "after_max", "before_max"}},
        "adamax": {"eps_placement": {"inside", "outside"}},
        "lion": {},
        "adadelta": {},
        "rmsprop_momentum": {"eps_placement": {"inside", "outside"}, "centered": {"off", "on"}, "learning_rate": {"inside", "outside"}},
        "adabelief": {"added": {"eps", "eps_root"}},
    }


def agree(rule, twin, gs, rates, tolerance=1e-12):
    """Free-running over all steps, and one step at a time from the twin's own state with theta at 0."""
    options, generated = as_options(rule), Generated(rule, rates)
    states = twin.initial(options)
    assert generated.states == states
    x = x_generated = 1.0
    own = list(states)
    scale = np.ones(1 + len(states)) * 1e-300
    for t, (gradient, rate) in enumerate(zip(gs, rates, strict=True), 1):
        gradient, rate = float(gradient), float(rate)
        increment, increment_states = twin.step(0.0, states, gradient, t, rate, options)
        one, one_states = generated.step(0.0, states, gradient, t)
        look, look_generated = twin.point(x, states, options, rate), generated.point(x_generated, own, t)
        old = states
        x, states = twin.step(x, states, gradient, t, rate, options)
        assert one == pytest.approx(increment, rel=tolerance, abs=0), (t, "theta")
        for a, b, before in zip(one_states, increment_states, old, strict=True):
            assert abs(a - b) <= tolerance * max(abs(b), abs(before)), t
        x_generated, own = generated.step(x_generated, own, gradient, t)
        scale = np.maximum(scale, np.abs([x, *states]))
        error = np.abs(np.array([x_generated, *own]) - [x, *states])
        assert np.all(error <= tolerance * scale), (t, error / scale)
        assert abs(look - look_generated) <= tolerance * max(abs(look), scale[0])
    assert np.isfinite([x, *states]).all()


@pytest.mark.parametrize(("name", "chosen"), CASES, ids=IDS)
def test_generated_update_is_the_twin_over_a_thousand_steps(name, chosen):
    rng = np.random.default_rng(1)
    agree(rules.get(name, **chosen), RULES[name], gradients(rng, STEPS), 10 ** rng.uniform(-4, 0, STEPS))


@st.composite
def drawn_rules(draw):
    name, chosen = draw(st.sampled_from(CASES))
    numbers = {}
    cancels = name == "adabelief" or chosen.get("centered") == "on"  # g - m and v - m**2 lose the digits of a short memory
    for parameter in rules.get(name, **chosen).parameters:
        text = str(parameter)
        if text.startswith("beta"):
            numbers[text] = draw(st.fractions(Fraction(1, 2) if cancels else 0, Fraction(9999, 10000), max_denominator=10000))
        elif text in ("eps", "eps_root"):
            numbers[text] = draw(st.sampled_from([Fraction(1, 10**10), Fraction(1, 10**6), Fraction(1, 100), Fraction(3)]))
        elif text == "momentum":
            numbers[text] = draw(st.fractions(0, Fraction(99, 100), max_denominator=100))
        else:
            numbers[text] = draw(st.fractions(0, 1, max_denominator=1000))
    return name, rules.get(name, **chosen, **{key: sp.Rational(v.numerator, v.denominator) for key, v in numbers.items()})


@given(drawn_rules(), st.integers(0, 2**32 - 1))
def test_generated_update_is_the_twin_for_drawn_hyper_parameters(drawn, seed):
    name, rule = drawn
    rng = np.random.default_rng(seed)
    steps = 40
    gs = np.abs(gradients(rng, steps))  # of one sign: no cancellation in m, so that the bound holds for every draw
    agree(rule, RULES[name], gs, 10 ** rng.uniform(-4, 0, steps))


@pytest.mark.parametrize("wrong", ["sign", "eps", "power"])
def test_the_twins_notice_a_wrong_formula(wrong):
    """The comparison itself can fail: three plausible slips in Adam are each noticed."""
    adam = rules.get("adam")
    m, v, vhat, eps, square, beta2, t = (symbol(s) for s in ("m", "v", "vhat", "eps", "square", "beta2", "t"))
    scale = symbol("scale")
    changed = {
        "sign": {"equations": tuple((k, e.xreplace({alpha: -alpha})) for k, e in adam.definition)},
        "eps": {"variants": {**adam.variants, "eps_placement": {"inside": {scale: sp.sqrt(vhat) + eps}}}},
        "power": {"variants": {**adam.variants, "bias_correction": {"on": {symbol("mean"): m, square: v / (1 - beta2 ** (t + 1))}}}},
    }[wrong]
    rng = np.random.default_rng(1)
    with pytest.raises(AssertionError):
        agree(adam.extend(**changed), RULES["adam"], gradients(rng, 20), np.full(20, 0.1))


FLOAT32 = [("sgd", {}), ("momentum", {}), ("nesterov", {}), ("ema_momentum", {"first_step": "gradient"}), ("rmsprop", {}), ("adam", {})]
FLOAT32 += [("adam", {"eps_placement": "outside"}), ("adamw", {"decay": "coupled"})]
FLOAT32 += [(name, chosen) for name, chosen in CASES if name in ("adagrad", "nadam", "amsgrad", "adamax", "lion")]


@pytest.mark.parametrize(("name", "chosen"), FLOAT32, ids=["-".join([name, *chosen.values()]) for name, chosen in FLOAT32])
def test_float32_updates_stay_float32_and_near_the_twin(name, chosen):
    rule, twin, steps = rules.get(name, **chosen), RULES[name], 300
    rng = np.random.default_rng(2)
    gs, rates = gradients(rng, steps).astype(np.float32), 10 ** rng.uniform(-4, -1, steps)
    generated, options = Generated(rule, rates, "float32"), as_options(rule)
    states, x = twin.initial(options), 1.0
    own, x_generated = list(generated.states), np.float32(1.0)
    scale = np.ones(1 + len(states))
    for t in range(1, steps + 1):
        x, states = twin.step(x, states, float(gs[t - 1]), t, float(rates[t - 1]), options)
        generated.point(x_generated, own, t)
        x_generated, own = generated.step(x_generated, own, gs[t - 1], t)
        scale = np.maximum(scale, np.abs([x, *states]))
        # each step rounds a handful of times, by 2^-24 of the largest term each: 300 steps stay below 300 * 8 * 2^-24
        assert np.all(np.abs(np.array([x_generated, *own]) - [x, *states]) <= steps * 8 * 2.0**-24 * scale), t
    for function in [generated.module.update] + ([generated.module.look] if generated.looks else []):
        (kind,) = function.nopython_signatures
        assert set(re.findall(r"float\d+", str(kind.return_type))) == {"float32"}
        (text,) = function.inspect_llvm().values()
        body = re.search(r"^define [^\n]*\n.*?^}", text, re.S | re.M).group()
        assert "float" in body
        assert "double" not in body


def test_float64_updates_contain_doubles():
    """The search for ``double`` in a float32 kernel would find one."""
    Generated(rules.get("sgd"), [0.1]).step(1.0, [], 1.0, 1)
    (text,) = module(rules.get("sgd"), "float64").update.inspect_llvm().values()
    assert "double" in re.search(r"^define [^\n]*\n.*?^}", text, re.S | re.M).group()


@pytest.mark.parametrize("numbers", [{}, {"psi": 1}, {"beta1": "99/100", "psi": 1}], ids=str)
def test_nadams_momenta_stay_exact_over_ten_thousand_steps(numbers):
    """The table of per-step scalars, one of which is a carried product, against 40-digit arithmetic: some roundings, not some per step.

    1 - mu loses up to a factor 1/(1 - beta1) to cancellation: 100 roundings of 2^-53 for beta1 = 99/100.
    """
    rule, steps = rules.get("nadam", **numbers), 10_000
    kept = {steps // k for k in (1, 3, 10, 100, 1000, 5000, 10_000)}
    table = step_table(rule, np.ones(steps))
    with mpmath.workdps(40):
        beta1, beta2, psi = (mpmath.mpf(int(rule.values[s].p)) / int(rule.values[s].q) for s in map(symbol, ("beta1", "beta2", "psi")))
        mu = [beta1 * (1 - mpmath.mpf("0.96") ** (psi * t) / 2) for t in range(1, steps + 2)]
        product = mpmath.mpf(1)
        for t in range(1, steps + 1):
            product *= mu[t - 1]
            exact = [1 / (1 - beta2**t), (1 - mu[t - 1]) / (1 - product), mu[t] / (1 - mu[t] * product), mpmath.mpf(-1)]
            if t in kept:
                np.testing.assert_allclose(sorted(table[t - 1]), sorted(map(float, exact)), rtol=100 * 2.0**-53)
    assert table.shape == (steps, 4)


# --- names, labels, fingerprints ---


@pytest.mark.parametrize(("name", "chosen"), CASES, ids=IDS)
def test_a_label_reads_back_to_the_equal_rule(name, chosen):
    bound = {str(parameter): sp.Rational(1, 3) for parameter in rules.get(name, **chosen).parameters}
    for rule in (rules.get(name), rules.get(name, **chosen), rules.get(name, **chosen, **bound)):
        again = rules.get(rule.label())
        assert again == rule
        assert hash(again) == hash(rule)
        assert again.fingerprint == rule.fingerprint
        assert again.label() == rule.label()


def test_all_rules_and_variants_have_different_fingerprints():
    assert len({rules.get(name, **chosen).fingerprint for name, chosen in CASES}) == len(CASES)


def test_a_fingerprint_depends_on_the_mathematics_alone():
    adam, beta = rules.get("adam"), symbol("beta")
    assert adam.extend(name="other", summary="words", reference="someone").fingerprint == adam.fingerprint
    assert (
        adam.extend(analysis={"frozen": {symbol("v"): symbol("P")}}).fingerprint == adam.extend(analysis={}).fingerprint == adam.fingerprint
    )
    assert adam.with_(beta1=0.9).fingerprint != adam.with_(beta1=0.91).fingerprint
    assert adam.with_(beta1=0.9).fingerprint == adam.with_(beta1="9/10").fingerprint
    momentum = rules.get("momentum")
    v = symbol("v")
    changes = [
        {"equations": tuple((k, e.xreplace({beta: -beta})) for k, e in momentum.definition)},
        {"gradient_at": theta + beta * v},
        {"state": {v: State(init=1)}},
        {"parameters": {beta: Parameter("8/10", within="[0, 1)")}},
    ]
    fingerprints = {momentum.fingerprint, *(momentum.extend(**change).fingerprint for change in changes)}
    assert len(fingerprints) == 1 + len(changes)


def test_with_binds_exact_values_and_leaves_the_original():
    rule = rules.get("momentum")
    fast = rule.with_(beta=0.5)
    beta = symbol("beta")
    assert fast.values == {beta: sp.Rational(1, 2)}
    assert rule.values == {beta: sp.Rational(9, 10)}
    assert fast.with_(beta="0.25").values == {beta: sp.Rational(1, 4)}
    assert fast.unbound() == rule
    assert fast.with_(learning_rate="outside").label() == "momentum(learning_rate=outside, beta=1/2)"
    assert rules.get(fast) is fast
    assert rules.get("momentum(beta=0.5)") == rules.get("momentum(beta=1/2)") == fast


def test_a_parameter_of_one_variant_is_there_where_the_variant_is():
    adam, eps_root = rules.get("adam"), symbol("eps_root")
    assert eps_root not in adam.parameters
    both = adam.with_(eps_root=0.5, eps_placement="both")
    assert both.values[eps_root] == sp.Rational(1, 2)
    assert both.label() == "adam(eps_placement=both, eps_root=1/2)"
    assert eps_root not in both.with_(eps_placement="inside").bound
    with pytest.raises(InputError, match="eps_root has no meaning here; it is a number of eps_placement=both"):
        adam.with_(eps_root=0.5)
    with pytest.raises(UnknownNameError, match="option of adam 'eps_rot'"):
        adam.with_(eps_rot=0.5)


def test_dialects_choose_the_options_of_the_library():
    assert rules.get("adam").dialect("torch").chosen["eps_placement"] == "outside"
    assert rules.get("rmsprop").dialect("torch").values[symbol("beta")] == sp.Rational(99, 100)
    with pytest.raises(UnknownNameError, match="did you mean 'torch'"):
        rules.get("adam").dialect("troch")


def test_later_equations_see_the_values_already_updated():
    m, n = symbol("m"), symbol("n")
    rule = Rule(name="chain", state={m: State(), n: State()}, equations=((m, m + g), (n, n + m), (theta, theta - alpha * n)))
    generated = Generated(rule, [1.0, 1.0])
    assert generated.step(0.0, [0.0, 0.0], 1.0, 1) == (-1.0, [1.0, 1.0])
    assert generated.step(-1.0, [1.0, 1.0], 1.0, 2) == (-4.0, [2.0, 3.0])


# --- a user's own rule ---

MINE = """
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, m = symbol("beta"), symbol("m")
MINE = Rule(
    name="mine",
    parameters={beta: Parameter("9/10", within="[0, 1)")},
    state={m: State(init=0)},
    equations=((m, beta * m + (1 - beta) * g), (theta, theta - alpha * m)),
)
NUMBER = 3
"""


def test_bare_numbers_and_a_dict_of_equations_say_the_same():
    beta, m = symbol("beta"), symbol("m")
    long = Rule(
        name="mine", parameters={beta: Parameter("9/10")}, state={m: State(init=0)},
        equations=((m, beta * m + g), (theta, theta - alpha * m)),
    )  # fmt: skip
    short = Rule(name="mine", parameters={beta: "9/10"}, state={m: 0}, equations={m: beta * m + g, theta: theta - alpha * m})
    assert short == long
    assert short.fingerprint == long.fingerprint
    assert short.values == {beta: sp.Rational(9, 10)}


def test_a_rule_from_a_file_is_a_rule_like_any_other(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    rule = rules.get(f"{path}:MINE", beta=0.5)
    assert rule == rules.get("ema_momentum", beta=0.5)
    assert rules.get(f"{path}:MINE(beta=1/2)") == rule
    rng = np.random.default_rng(3)
    agree(rule, RULES["ema_momentum"], gradients(rng, 50), np.full(50, 0.1))


def test_the_example_of_a_rule_of_ones_own_is_the_built_in_lion():
    assert rules.get(f"{Path(__file__).parents[2]}/examples/lion.py:LION") == rules.get("lion")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    first = rules.get(f"{path}:MINE")
    path.write_text(MINE.replace("theta - alpha * m", "theta + alpha * m"))
    assert rules.get(f"{path}:MINE") != first


EQUAL = [
    ("adam", {"beta1": 0, "beta2": 0}, {"bias_correction": "off"}),
    ("adamw", {"wd": 0}, {"decay": "coupled"}),
    ("rmsprop", {"eps": 0}, {"eps_placement": "outside"}),
    ("ema_momentum", {"beta": 0}, {"first_step": "gradient"}),
]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("name", "numbers", "chosen"), EQUAL, ids=[case[0] for case in EQUAL])
def test_variants_that_bound_values_make_equal_still_run(name, numbers, chosen, first):
    """Two variants may be one rule at some value, but their kernels differ: neither may be run with the other's tables."""
    pair = [rules.get(name, **numbers), rules.get(name, **numbers, **chosen)]
    for rule in pair[first:] + pair[:first]:
        agree(rule, RULES[name], [1.0, -2.0, 0.5], [0.1, 0.2, 0.3])


def test_a_scalar_state_may_not_depend_on_the_gradient():
    s = symbol("s")
    rule = Rule(name="mine", state={s: State(kind="scalar")}, equations=((s, s + g), (theta, theta - alpha * s)))
    with pytest.raises(InputError, match="scalar state s depends on"):
        Generated(rule, [1.0])


# --- what is refused, in one line that names it ---

a, b, p, q = symbol("a"), symbol("b"), symbol("p"), symbol("q")
SGD = (theta, theta - alpha * g)
norm = sp.Function("norm")
BAD = {
    "unknown symbol": (lambda: Rule(name="x", equations=((theta, theta - a * g),)), "uses a, not declared"),
    "symbol used before it is set": (lambda: Rule(name="x", equations=((theta, theta - a), (a, g))), "uses a, not declared"),
    "alpha assigned": (lambda: Rule(name="x", equations=((alpha, alpha / 2), SGD)), "alpha is given from outside"),
    "gradient assigned": (lambda: Rule(name="x", equations=((g, 2 * g), SGD)), "g is given from outside"),
    "parameter assigned": (
        lambda: Rule(name="x", parameters={b: Parameter("1/2")}, equations=((b, b / 2), SGD)),
        "b is given from outside",
    ),
    "alpha a parameter": (lambda: Rule(name="x", parameters={alpha: Parameter("1/2")}, equations=(SGD,)), "alpha has a fixed meaning"),
    "theta a state": (lambda: Rule(name="x", state={theta: State()}, equations=(SGD,)), "theta has a fixed meaning"),
    "theta not updated": (lambda: Rule(name="x", state={a: State()}, equations=((a, a + g),)), "assigns theta 0 times"),
    "theta updated twice": (lambda: Rule(name="x", equations=(SGD, SGD)), "assigns theta 2 times"),
    "state never updated": (lambda: Rule(name="x", state={a: State()}, equations=(SGD,)), "state a is never updated"),
    "norm": (lambda: Rule(name="x", equations=((theta, theta - alpha * g / norm(g)),)), "norms over all coordinates"),
    "state kind": (lambda: State(kind="vector"), "State kind 'vector' is unknown"),
    "initial value": (lambda: Rule(name="x", state={a: State(init=q)}, equations=((a, a + g), SGD)), "initial value of a uses q"),
    "gradient_at": (lambda: Rule(name="x", gradient_at=theta + q, equations=(SGD,)), "gradient_at uses q"),
    "gradient at itself": (lambda: Rule(name="x", gradient_at=theta + g, equations=(SGD,)), "gradient_at uses g"),
    "name": (lambda: Rule(name="my rule", equations=(SGD,)), "'my rule' must be an identifier"),
    "no expression": (lambda: Rule(name="x", equations=((theta, g > 0),)), "not an expression"),
    "no pairs": (
        lambda: Rule(name="x", equations=(theta, theta - alpha * g)),
        "rule x: theta is no equation; write .symbol, expression. pairs",
    ),
    "text for a symbol": (
        lambda: Rule(name="x", parameters={"b": "1/2"}, equations=(SGD,)),
        "rule x: parameters: 'b' is no symbol; write symbol..b'",
    ),
    "a list of parameters": (
        lambda: Rule(name="x", parameters=[b], equations=(SGD,)),
        "rule x: parameters = .* must be a dict from symbols",
    ),
    "a function": (lambda: Rule(name="x", equations=((theta, max),)), "the equation for theta is .*, not an expression"),
    "interval": (lambda: Parameter("1/2", within="0..1"), "is not an interval"),
    "default out of range": (lambda: Parameter("3/2", within="[0, 1)"), r"default = 3/2 is out of range: it must lie in \[0, 1\)"),
    "out of range": (lambda: rules.get("momentum", beta=1), r"momentum: beta = 1 is out of range: it must lie in \[0, 1\)"),
    "nan": (lambda: rules.get("momentum", beta=float("nan")), "beta = nan is not a finite"),
    "infinite": (lambda: rules.get("adam", eps=float("inf")), "eps = inf is not a finite"),
    "no number": (lambda: rules.get("momentum", beta="much"), "beta = 'much' is not a finite number"),
    "none": (lambda: rules.get("momentum", beta=None), "beta = None is not a number"),
    "true": (lambda: rules.get("momentum", beta=True), "beta = True is not a number"),
    "a symbol": (lambda: rules.get("momentum", beta=q), "beta = q is not a finite real number"),
    "zero division": (lambda: rules.get("momentum", beta="1/0"), "beta = '1/0' is not"),
    "wrong option": (lambda: rules.get("adam", eps_placement="beside"), "unknown eps_placement of adam 'beside'.*inside, outside"),
    "option of no name": (lambda: rules.get("adam", eps_placement=["inside"]), "eps_placement"),
    "unknown option": (lambda: rules.get("adam", beta_1=0.5), "unknown option of adam 'beta_1'; did you mean 'beta1'"),
    "near miss": (lambda: rules.get("adem"), "unknown rule 'adem'; did you mean 'adam'"),
    "nothing near": (lambda: rules.get("zzzzzz"), r"unknown rule 'zzzzzz' \(known: sgd"),
    "no text": (lambda: rules.get(3), "3 is no rule"),
    "positional": (lambda: rules.get("momentum(0.5)"), r"options go by name"),
    "unclosed": (lambda: rules.get("momentum(beta=0.5"), "cannot read 'momentum"),
    "code": (lambda: rules.get("momentum(beta=print(1))"), "cannot read 'momentum"),
    "symbol name": (lambda: symbol("two words"), "'two words' cannot name a symbol"),
    "keyword": (lambda: symbol("lambda"), "'lambda' cannot name a symbol"),
    "missing file": (lambda: rules.get("nowhere/mine.py:MINE"), "there is no file 'nowhere/mine.py'"),
}


def one_line(error):
    text = str(error)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case):
    attempt, message = BAD[case]
    with pytest.raises(InputError) as caught:
        attempt()
    assert re.search(message, one_line(caught.value)), caught.value


FILES = {
    "failing": ("1/0", "MINE", "the file fails with ZeroDivisionError: division by zero"),
    "syntax": ("def", "MINE", "the file fails with SyntaxError"),
    "bad rule": (MINE.replace("theta - alpha", "theta - symbol('mystery') * alpha"), "MINE", "uses mystery, not declared"),
    "wrong name": (MINE, "MIEN", "did you mean 'MINE'"),
    "no rule": (MINE, "NUMBER", "is a int, not a Rule"),
    "message of many lines": ("raise ValueError('one\\ntwo')", "MINE", "the file fails with ValueError: one"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused_in_one_line(case, tmp_path):
    text, name, message = FILES[case]
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        rules.get(f"{path}:{name}")
    assert message in one_line(caught.value)


def test_placeholders_that_stand_for_each_other_are_refused():
    """In a process of its own, because resolving them could go on for ever."""
    import subprocess
    import sys

    code = (
        "from optlab.rules import Rule, alpha, g, symbol, theta\n"
        "from optlab.errors import InputError\n"
        "p, q = symbol('p'), symbol('q')\n"
        "try:\n"
        "    Rule(name='x', equations=((theta, theta - alpha * p),), variants={'v': {'one': {p: q + g, q: p}}})\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert re.search("p|q", done.stdout)


# --- what an adaptive rule holds fixed ---


@pytest.mark.parametrize("name", [name for name in rules.names() if "frozen" in rules.get(name).analysis])
def test_what_is_frozen_leaves_a_rule_linear_in_the_gradient(name):
    """With the frozen quantities replaced, theta moves linearly in g (Lion keeps its sign and freezes nothing)."""
    rule = rules.get(name)
    frozen = rule.analysis["frozen"]
    assigned = {left for left, _ in rule.equations}
    assert frozen.keys() <= assigned
    assert {s for value in frozen.values() for s in value.free_symbols} <= {symbol("P")}
    working = {}
    for left, right in rule.equations:
        working[left] = frozen.get(left, right.xreplace(working))
    linear = sp.expand(working[theta].diff(g, 2)) == 0 and not working[theta].has(sp.sign)
    assert linear == (name != "lion")


def test_the_adaptive_rules_are_the_ones_that_freeze_something():
    linear = {"sgd", "momentum", "nesterov", "ema_momentum"}
    assert {name for name in rules.names() if "frozen" in rules.get(name).analysis} == set(rules.names()) - linear
