"""What check_optimizer says: without a rule, of dialects, of things that cannot be run, in torch; and that its candidates are sound."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optlab import rules
from optlab.errors import CheckFailed, InputError, UnknownNameError
from optlab.verify import Check, check_optimizer, strategies
from optlab.verify.edits import edited, mangled, respelled
from optlab.verify.evaluation import Program, agrees, deviation
from optlab.verify.explanations import explain
from optlab.verify.feeds import feeds
from optlab.verify.probes import telling
from tests.oracles import RULES as ORACLES
from tests.rules.generated import as_options
from tests.verify.mutations import adams, simple

NAMES = [
    "rule", "gradient untouched", "zero gradient", "scale", "float32", "coordinates apart", "NaN", "saved and loaded", "gradient missing",
    "closure", "default dtype",
]  # fmt: skip


def by_twin(rule, setting):
    """theta by the hand-written twin of a rule, coordinate by coordinate."""
    twin, options, columns = ORACLES[rule.name], as_options(rule), []
    for start, column in zip(setting.start, setting.gradients.T, strict=True):
        x, states, out = float(start), twin.initial(options), [float(start)]
        for t, (gradient, rate) in enumerate(zip(column, setting.rates, strict=True), 1):
            x, states = twin.step(x, states, float(gradient), t, float(rate), options)
            out.append(x)
        columns.append(out)
    return np.array(columns).T


@pytest.mark.parametrize("name", rules.names())
def test_what_optimizers_are_held_against_is_the_hand_written_twin(name):
    for rule in [rules.get(name), *(rules.get(name).dialect(library) for library in rules.get(name).dialects)]:
        if "bias_correction" in rule.chosen and rule.name == "amsgrad" and rule.chosen["bias_correction"] == "before_max":
            continue
        setting = telling(rule, rng=11)
        with np.errstate(all="ignore"):
            assert agrees(Program.of(rule).run(setting), by_twin(rule, setting))


def test_all_checks_are_returned():
    found = check_optimizer(adams.Adam, rule="adam", dialect="torch")
    assert [check.name for check in found] == NAMES
    assert all(isinstance(check, Check) for check in found)
    assert [check.passed for check in found] == [True] * 9 + [None, None]
    found = check_optimizer(adams.SwallowsNan, rule="adam", dialect="torch")  # reported only
    assert [check.name for check in found if check.passed is False] == ["NaN"]
    with pytest.raises(CheckFailed, match="swallowed"):
        check_optimizer(adams.SwallowsNan, rule="adam", dialect="torch", strict=True)
    found = check_optimizer(adams.EpsInside, rule="adam", dialect="torch", raises=False)
    assert found[0].passed is False


def test_a_dialect_that_fits_is_offered():
    with pytest.raises(CheckFailed) as caught:
        check_optimizer(adams.Adam, rule="adam")
    assert 'It is adam as torch writes it: if that is meant, say dialect="torch".' in str(caught.value)
    assert "Likely cause: eps outside the square root." in str(caught.value)


def test_the_message_can_be_followed():
    """Its snippet, run, gives the numbers that it names."""
    with pytest.raises(CheckFailed) as caught:
        check_optimizer(adams.CountFromOne, rule="adam", dialect="torch")
    lines = str(caught.value).splitlines()
    call = lines[-1].partition("See it: optlab.verify.drivers.")[2].replace("CountFromOne", "adams.CountFromOne")
    from optlab.verify import drivers

    got = eval(f"drivers.{call}", {"drivers": drivers, "adams": adams})
    assert f"and is {got[-1, 0]:.10g}" in lines[2]
    assert lines[1].startswith("  Parting: from theta = 0, gradients 1, learning rates 0.1:")


def test_without_a_rule_the_rule_is_recognized():
    assert check_optimizer(adams.Adam)[0].detail == "follows adam(eps_placement=outside), torch's adam"
    assert "follows lion" in check_optimizer(simple.Lion)[0].detail
    assert "follows no built-in rule" in check_optimizer(adams.TwoMistakes)[0].detail


def test_a_learning_rate_that_cannot_change_stays():
    class Fixed:
        def __init__(self, params, lr):
            self.params, self.rate = params, lr

        def step(self, gradients):
            for p, g in zip(self.params, gradients, strict=True):
                p -= self.rate * g

    assert check_optimizer(Fixed, rule="sgd")[0].passed


def test_bad_input_is_one_line():
    cases = [
        (lambda: check_optimizer(adams.Adam, rule="adma"), UnknownNameError, "unknown rule 'adma'"),
        (lambda: check_optimizer(adams.Adam, rule="adam", dialect="tensorflow"), UnknownNameError, "dialect of adam"),
        (lambda: check_optimizer(adams.Adam, dialect="torch"), InputError, "needs a rule"),
        (lambda: check_optimizer(3, rule="adam"), InputError, "makes no optimizer"),
        (lambda: check_optimizer(adams.Adam, rule="adam", steps=1), InputError, "too few"),
        (lambda: check_optimizer(adams.Adam, rule="adam", framework="jax"), UnknownNameError, "unknown framework"),
    ]
    for call, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["sgd", "momentum", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rmsprop", "adamw"))])
def test_every_candidate_is_told_apart_or_explained(name):
    """What a candidate does is explained: by itself, or by another one that does the same."""
    rule = rules.get(name)
    setting, base = telling(rule), Program.of(rule)
    own = base.run(setting)
    runs = [(words, changed.run(setting)) for words, changed in (*respelled(rule), *edited(base), *mangled(base))]
    runs += [(words, run(base, setting)) for words, run in feeds(base)]
    for words, found in runs[:: 7 if name == "adamw" else 2]:
        if agrees(found, own):
            continue
        cause = explain(rule, setting, found)
        assert cause is not None, words
        assert agrees(found, cause.run(setting))


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_correct_optimizer_passes_at_any_hyperparameters(data):
    name, kind = data.draw(st.sampled_from([("adam", adams.Adam), ("adamw", adams.AdamW), ("rmsprop", simple.RMSProp)]))
    rule = rules.get(name).with_(eps_placement="outside", **data.draw(strategies.hyperparameters(name)))
    numbers = {str(key): float(value) for key, value in rule.values.items()}
    if numbers["eps"] > 0:
        check_optimizer(lambda params, lr: kind(params, lr, **numbers), rule=rule, rng=data.draw(st.integers(0, 10**6)), strict=True)


def test_deviation_sees_small_things_and_forgives_rounding():
    expected = np.array([[1.0, 0.0], [1.1, 1e-9], [1.3, 2e-9]])
    assert np.all(deviation(np.where(expected > 1, expected * (1 + 2e-16), expected), expected) <= 1)
    small = expected.copy()
    small[1, 1] += 1e-18
    assert deviation(small, expected)[1, 1] > 1
    assert deviation(np.where(expected == 1.3, np.nan, expected), expected)[2, 0] == np.inf


@pytest.mark.peers
def test_torchs_own_optimizers_pass():
    import torch

    for rule, make in [
        ("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop), ("adagrad", torch.optim.Adagrad), ("adamax", torch.optim.Adamax),
        ("amsgrad", lambda params, lr: torch.optim.Adam(params, lr=lr, amsgrad=True)),
        ("momentum", lambda params, lr: torch.optim.SGD(params, lr=lr, momentum=0.9)),
    ]:  # fmt: skip
        check_optimizer(make, rule=rule, dialect="torch", strict=True)
    found = check_optimizer(torch.optim.NAdam, rule="nadam(eps_placement=outside)")
    assert [check.name for check in found if check.passed is False] == ["default dtype"]  # its product of momenta


@pytest.mark.peers
def test_an_optax_optimizer_that_is_ready_needs_its_learning_rate():
    import optax

    with pytest.raises(InputError, match="or its learning rate as lr="):
        check_optimizer(optax.sgd(0.5), rule="sgd")
    assert check_optimizer(optax.sgd(0.5), rule="sgd", lr=0.5)[0].passed
    assert check_optimizer(optax.adam, rule="adam", dialect="torch")[0].passed
