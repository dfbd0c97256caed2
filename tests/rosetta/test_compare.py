"""Verdicts: what is said to agree agrees in the twins' hands too, what is said to part does, and the maps are the known ones."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from optlab import rules
from optlab.errors import InputError, UnknownNameError, UnsupportedError
from optlab.rosetta import compare, forms, matrix, read, translate
from optlab.rosetta.decay import with_decay
from optlab.rosetta.forms import all_forms, own
from optlab.rosetta.part import parting
from optlab.symbols import symbol
from tests.oracles import RULES


@pytest.fixture(scope="module")
def cells():
    return {(verdict.source.form.base.name, verdict.library): verdict for verdict in matrix()}


def options_of(setting):
    numbers = {str(key): Fraction(int(value.p), int(value.q)) for key, value in setting.numbers.items()}
    return numbers | dict(setting.form.base.chosen)


def twin_path(setting, rates, gradients):
    """The points at which gradients are taken, by the hand-written twin."""
    twin, options = RULES[setting.form.base.name], options_of(setting)
    theta, states, out = 1.0, twin.initial(options), []
    for t, (rate, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        out.append(twin.point(theta, states, options, rate))
        theta, states = twin.step(theta, states, gradient, t, rate, options)
    return np.array([*out, twin.point(theta, states, options, rates[-1])])


def test_every_pair_has_a_verdict_and_every_equality_a_proof(cells):
    assert len(cells) == 3 * len(rules.names())
    for pair, verdict in cells.items():
        assert (verdict.kind == "impossible") or verdict.proved, pair
        assert (verdict.kind != "impossible") or verdict.why, pair


def test_what_agrees_agrees_for_the_twins(cells):
    """The hand-written twins, at the mapped numbers, go the same way over 60 drawn gradients (learning rates as the verdict allows)."""
    rng = np.random.default_rng(0)
    for pair, verdict in cells.items():
        if verdict.kind == "impossible":
            continue
        gradients = rng.normal(size=60)
        rates = np.full(60, 0.01) if "constant learning rate" in verdict.conditions else 10 ** rng.uniform(-3, -1, 60)
        factor = float(verdict.factor.xreplace(verdict.source.numbers))
        one, other = twin_path(verdict.source, rates, gradients), twin_path(verdict.target, rates * factor, gradients)
        assert np.abs(one - other).max() <= 1e-12 * np.abs(one).max(), pair


def test_what_parts_parts_for_the_twins_and_not_before(cells):
    for pair, verdict in cells.items():
        found = verdict.parting
        if found is None:
            continue
        factor = float(verdict.factor.xreplace(verdict.source.numbers))
        one = twin_path(verdict.source, found.rates, found.gradients)
        other = twin_path(verdict.target, [rate * factor for rate in found.rates], found.gradients)
        np.testing.assert_allclose([one, other], [found.ours, found.theirs], rtol=1e-12)
        apart = np.abs(one - other) > 1e-9 * max(abs(one[-1] - 1), abs(other[-1] - 1))
        assert np.argmax(apart) == found.step, pair


KNOWN = {
    ("momentum", "torch"): ("mapped", {"momentum": "beta"}, ("constant learning rate",)),
    ("momentum", "keras"): ("identical", {}, ()),
    ("nesterov", "keras"): ("identical", {}, ()),
    ("ema_momentum", "optax"): ("mapped", {"learning_rate": "alpha*(1 - beta)"}, ()),
    ("rmsprop", "torch"): ("impossible", {}, ()),
    ("rmsprop", "optax"): ("identical", {}, ()),
    ("adam", "torch"): ("impossible", {}, ()),
    ("adam", "optax"): ("mapped", {"eps": "0", "eps_root": "eps"}, ()),
    ("adam", "keras"): ("impossible", {}, ()),
    ("adagrad", "torch"): ("mapped", {"eps": "0", "initial_accumulator_value": "eps"}, ("start = 0",)),
    ("nadam", "keras"): ("impossible", {}, ()),
    ("lion", "torch"): ("impossible", {}, ()),
}


@pytest.mark.parametrize("pair", KNOWN, ids=str)
def test_known_verdicts(cells, pair):
    verdict, (kind, mapping, conditions) = cells[pair], KNOWN[pair]
    assert (verdict.kind, verdict.conditions) == (kind, conditions)
    for option, value in mapping.items():
        assert sp.simplify(verdict.mapping[option] - sp.sympify(value, locals={"beta": sp.Symbol("beta")})) == 0


def test_where_they_agree_after_all(cells):
    assert cells["adam", "torch"].agree_where == "eps = 0"
    assert cells["nadam", "keras"].agree_where == "eps = 0 and psi = 1"
    assert cells["adam", "torch"].parting.gradients == (1e-4,)


TRANSLATED = [
    ("torch.optim.RMSprop(lr=0.01, alpha=0.9)", "keras", "impossible", "keras.optimizers.RMSprop(learning_rate=0.01, epsilon=1e-08)"),
    ("torch.optim.RMSprop(lr=0.01, alpha=0.9)", "optax", "mapped", "optax.rmsprop(learning_rate=0.01, eps_in_sqrt=False)"),
    ("torch.optim.Adam(model.parameters(), lr=3e-4)", "optax", "identical", "optax.adam(learning_rate=0.0003)"),
    ("torch.optim.Adam(lr=0.01, eps=0)", "keras", "mapped", "keras.optimizers.Adam(learning_rate=0.01, epsilon=0)"),
    (
        "torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=5e-4)", "optax", "mapped",
        "optax.chain(optax.add_decayed_weights(0.0005), optax.sgd(learning_rate=0.1, momentum=0.9))",
    ),
    ("keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)", "torch", "mapped", "torch.optim.SGD(lr=0.1, momentum=0.9, nesterov=True)"),
    ("keras.optimizers.Nadam()", "torch", "mapped", "torch.optim.NAdam(lr=0.001, eps=1e-07, momentum_decay=1)"),
    ("torch.optim.SGD(lr=1, momentum=0.9, dampening=0.9)", "keras", "impossible", "keras.optimizers.SGD(learning_rate=1, momentum=0.9)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "library", "kind", "line"), TRANSLATED, ids=[f"{case[0][:28]}-{case[1]}" for case in TRANSLATED])
def test_translations(text, library, kind, line):
    verdict = translate(read(text), library)
    assert (verdict.kind, verdict.line) == (kind, line)
    assert kind == "impossible" or verdict.proved


def test_a_line_reads_back_to_its_setting():
    for library in ("torch", "optax", "keras"):
        for form in all_forms(library):
            if form.chained:
                continue
            numbers = {key: value if value or key not in form.free else sp.Rational(1, 8) for key, value in form.defaults.items()}
            line = form.line(numbers, sp.Rational(1, 4))
            again = read(line)
            assert (again.line(), again.rate) == (line, sp.Rational(1, 4))
            same = with_decay(form.base, form.decay) if form.decay else form.base
            assert again.form.rule == same or parting(again, type(again)(form, numbers, again.rate)) is None, line


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("torch.optim.RMSprop(lr=0.01, alpah=0.9)", UnknownNameError, "did you mean 'alpha'"),
        ("torch.optim.RMSProp(lr=0.01)", UnknownNameError, "did you mean 'torch.optim.RMSprop'"),
        ("torch.optim.Adam(lr=__import__('os').getpid())", InputError, "is no plain value"),
        ("torch.optim.Adam(lr=0.1", InputError, "cannot read"),
        ("torch.optim.Adam(lr='fast')", InputError, "is not a number"),
        ("torch.optim.Adam(lr=-1)", InputError, "negative"),
        ("torch.optim.Adam(betas=0.9)", InputError, "2 numbers"),
        ("torch.optim.Adam(betas=(0.9, 1.5))", InputError, "out of range"),
        ("torch.optim.Adam(lr=1, lr=2)", InputError, "cannot read|twice"),
        ("torch.optim.Adam(lr=1/0)", InputError, "no number"),
        ("torch.optim.Adam(lr=1e999)", InputError, "not a finite number"),
        ("keras.optimizers.Adam(clipnorm=1.0)", UnsupportedError, "clipnorm=1.0"),
        ("torch.optim.SGD(lr=1, maximize=True)", UnsupportedError, "maximize=True"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(text, error, message):
    with pytest.raises(error, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_decay_is_adamws_two_ways():
    """Two roads to the same rule: AdamW's record, and Adam with the decay that libraries add."""
    adam, adamw = rules.get("adam"), rules.get("adamw")
    for kind in ("coupled", "decoupled"):
        made, record = with_decay(adam, kind), adamw.with_(decay=kind)
        verdict = parting(own(made.with_(wd=0.1)), own(record.with_(wd=0.1)))
        assert verdict is None
    assert parting(own(with_decay(adam, "coupled").with_(wd=0.1)), own(adamw.with_(wd=0.1))) is not None


def test_a_wrong_map_is_not_proved():
    from optlab.rosetta.proof import prove
    from optlab.rosetta.search import Found

    beta = symbol("beta")
    source, target = own("momentum").form, forms("momentum", "keras")[0]
    assert prove(source, target, Found({beta: beta}, sp.Integer(1), False)).holds
    assert not prove(source, target, Found({beta: beta**2}, sp.Integer(1), False)).holds
    assert not prove(source, target, Found({beta: beta}, sp.Integer(2), False)).holds
    torch = forms("momentum", "torch")[0]
    constant = Found({beta: beta, symbol("damp"): sp.Integer(0)}, sp.Integer(1), True)
    assert prove(source, torch, constant).holds
    assert not prove(source, torch, Found(constant.numbers, constant.factor, False)).holds


def test_a_users_rule_is_compared_too(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from optlab.rules import Rule, State, alpha, g, symbol, theta\n"
        "m = symbol('m')\n"
        "MINE = Rule(name='mine', state={m: State(init=0)}, equations=((m, m / 2 + g), (theta, theta - alpha * m)))\n"
    )
    verdict = compare(own(f"{path}:MINE"), "torch")
    assert (verdict.kind, verdict.line, verdict.proved) == ("mapped", "torch.optim.SGD(momentum=0.5)", True)
