"""Exported optimizers held against their rule by the public check, against torch's and optax's own, and used for training."""

import copy
import functools
import inspect
import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest

from optlab import rules, schedules
from optlab.rosetta.forms import all_forms
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta
from optlab.verify import check_optimizer, conformance
from optlab.verify.drivers import run
from tests.oracles import nesterov as twin

pytestmark = pytest.mark.peers

LION = f"{Path(__file__).parents[2] / 'examples' / 'lion.py'}:LION"


def spelled():
    """Every rule in the article's form and in those of its dialects, each once."""
    found = {}
    for rule in rules.builtin():
        for form in [
            rule,
            *(form.base for library in ("torch", "optax", "keras") for form in all_forms(library) if form.base.name == rule.name),
        ]:
            found[form.unbound().label()] = form.unbound()
    return list(found.values())


def torch_class_for_drawn_gradients(rule):
    """The class; where it looks ahead, one that does so by itself: a check's gradients are drawn, wherever they are taken."""
    made = rule.to_torch()
    if rule.gradient_at == theta:
        return made

    class Looking(made):
        def step(self, closure=None):
            if closure is None:
                with self.looking_ahead():
                    pass
            return super().step(closure)

    return Looking


@pytest.mark.parametrize("rule", spelled(), ids=lambda rule: rule.label())
def test_an_export_follows_its_rule(rule, record_property):
    """float64 within 1e-10, float32, scale, NaN apart; saved and loaded, closures, missing gradients (``strict``)."""
    found = check_optimizer(torch_class_for_drawn_gradients(rule), rule=rule, framework="torch", strict=True)
    record_property("torch", found[0].detail)
    passed = {check.name: check.passed for check in found}
    assert all(passed[name] for name in ("rule", "float32", "saved and loaded", "gradient missing", "closure", "default dtype"))
    found = check_optimizer(rule.to_optax(), rule=rule, framework="optax", strict=True)
    record_property("optax", found[0].detail)
    passed = {check.name: check.passed for check in found}
    assert all(passed[name] for name in ("rule", "float32", "saved and loaded"))


@pytest.mark.parametrize("form", [form for library in ("torch", "optax") for form in all_forms(library)], ids=lambda form: form.line({}))
@pytest.mark.parametrize("draw", [False, True], ids=["defaults", "drawn"])
def test_an_export_is_the_librarys_own(form, draw, record_property):
    """100 steps in float64 beside the native optimizer of the dialect, with the same numbers: within 1e-12 of the largest theta."""
    generator = np.random.default_rng(7)
    numbers = conformance.drawn(form, generator, draw)
    gradients = generator.normal(size=(100, 3)) * [1e-2, 1.0, 10.0]
    gradients[1:][generator.random((99, 3)) < 0.05] = 0.0
    rates = 10 ** generator.uniform(-4, -2, 100)
    options = {str(key): value for key, value in numbers.items()}
    bound = form.rule.with_(**options)
    ours = functools.partial(bound.to_torch()) if form.library == "torch" else bound.to_optax()
    with conformance.working_in(form.library, "float64"):
        theirs = run(conformance.factory(form, numbers), gradients, rates, framework=form.library)
        found = run(ours, gradients, rates, framework=form.library)
    size = np.maximum.accumulate(np.maximum(np.abs(theirs), 1.0), axis=0)
    deviation = float(np.max(np.abs(found - theirs) / size))
    record_property("deviation", deviation)
    assert deviation <= 1e-12
    assert not np.array_equal(found[0], found[-1])


def by_hand(rule, steps, rate):
    """theta of the hand-written twin on a noiseless quadratic, shape (steps + 1, 2), and the curvatures."""
    curvature, options, columns = np.array([0.1, 1.0]), {"learning_rate": rule.chosen["learning_rate"]}, []
    for lam in curvature:
        x, states, seen = 1.0, twin.initial(options), [1.0]
        for t in range(1, steps + 1):
            x, states = twin.step(x, states, lam * twin.point(x, states, options, rate), t, rate, options)
            seen.append(x)
        columns.append(seen)
    return curvature, np.array(columns).T


@pytest.mark.parametrize("way", ["with", "closure"])
@pytest.mark.parametrize("variant", ["inside", "outside"])
def test_nesterov_looks_ahead_and_reports_theta(way, variant):
    """A true objective: the gradients are taken where the rule says, and the parameters hold theta after each step."""
    import torch

    rule = rules.get("nesterov", learning_rate=variant)
    curvature, expected = by_hand(rule, 30, 0.3)
    weight = torch.nn.Parameter(torch.tensor(expected[0]))
    optimizer = rule.to_torch()([weight], lr=0.3)

    def loss():
        optimizer.zero_grad()
        value = (torch.tensor(curvature) * weight**2).sum() / 2
        value.backward()
        return value

    for wanted in expected[1:]:
        if way == "with":
            with optimizer.looking_ahead():
                loss()
            optimizer.step()
        else:
            optimizer.step(loss)
        np.testing.assert_allclose(weight.detach().numpy(), wanted, rtol=1e-12, atol=1e-14)
    loss()
    with pytest.raises(RuntimeError, match=r"takes the gradient at .*: compute it inside `with optimizer.looking_ahead\(\):`"):
        optimizer.step()


def test_nesterov_in_optax_takes_its_gradient_at_the_point():
    import jax
    import optax

    rule = rules.get("nesterov")
    curvature, expected = by_hand(rule, 30, 0.3)
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        made, params = rule.to_optax()(0.3), jax.numpy.asarray(expected[0])
        assert isinstance(made, optax.GradientTransformation)
        state = made.init(params)

        @jax.jit
        def step(params, state):
            gradient = jax.grad(lambda p: (jax.numpy.asarray(curvature) * p**2).sum() / 2)(made.point(params, state))
            updates, state = made.update(gradient, state)
            return optax.apply_updates(params, updates), state

        for wanted in expected[1:]:
            params, state = step(params, state)
            np.testing.assert_allclose(params, wanted, rtol=1e-12, atol=1e-14)


def test_groups_schedulers_and_ranges_work_as_torchs_own():
    import torch

    adam = rules.get("adam").dialect("torch").to_torch()
    weights = [[torch.nn.Parameter(torch.ones(2, dtype=torch.float64)) for _ in range(2)] for _ in range(2)]
    ours = adam([{"params": [weights[0][0]]}, {"params": [weights[0][1]], "lr": 0.2, "beta1": 0.5}], lr=0.1)
    theirs = torch.optim.Adam([{"params": [weights[1][0]]}, {"params": [weights[1][1]], "lr": 0.2, "betas": (0.5, 0.999)}], lr=0.1)
    decays = [torch.optim.lr_scheduler.StepLR(one, 2, 0.5) for one in (ours, theirs)]
    generator = np.random.default_rng(1)
    for _ in range(6):
        gradients = generator.normal(size=(2, 2))
        for side, optimizer, decay in zip(weights, (ours, theirs), decays, strict=True):
            for weight, gradient in zip(side, gradients, strict=True):
                weight.grad = torch.tensor(gradient)
            optimizer.step()
            decay.step()
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-14)
    assert ours.param_groups[1]["lr"] == theirs.param_groups[1]["lr"] == 0.2 * 0.125
    for options in ({"beta1": 1.0}, {"beta2": -0.1}, {"lr": -1.0}, {"eps": float("nan")}):
        with pytest.raises(ValueError, match="is out of range: it must lie in"):
            adam([torch.nn.Parameter(torch.ones(1))], **options)
    with pytest.raises(ValueError, match=r"beta1 = 2.0 is out of range"):
        ours.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "beta1": 2.0})
    assert len(ours.param_groups) == 2


def test_a_saved_state_is_plain_and_a_copy_goes_on():
    import torch

    nadam = rules.get("nadam").to_torch()
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = nadam([weight], lr=0.1)
    for _ in range(3):
        weight.grad = torch.ones(3)
        optimizer.step()
    saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
    assert sorted(saved["state"][0]) == ["m", "product", "step", "v"]
    assert saved["state"][0]["step"] == 3
    assert 0 < saved["state"][0]["product"] < 1
    twin = copy.deepcopy(optimizer)
    assert twin.state_dict()["param_groups"] == saved["param_groups"]
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="no update for sparse gradients"):
        nadam(embedding.parameters()).step()


def test_an_optax_export_is_jitted_scanned_chained_and_injected():
    import jax
    import optax

    make = rules.get("adamw").to_optax(eps_placement="both", wd="1e-4")
    params = {"w": jax.numpy.ones((2, 2)), "b": (jax.numpy.zeros(2), None)}
    decay = schedules.get("cosine", peak=0.1, steps=8).to_optax()

    def after(made, steps=6):
        def step(carry, _):
            params, state = carry
            gradient = jax.tree.map(lambda p: p - 0.3, params)
            updates, state = made.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.jit(lambda: jax.lax.scan(step, (params, made.init(params)), None, steps)[0][0])()

    chained = [optax.chain(optax.clip_by_global_norm(0.5), one(decay)) for one in (make, optax.adamw)]
    for one, other in zip(*map(jax.tree.leaves, map(after, chained)), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5)  # optax's own 1 - b**t has lost digits in single precision
    injected = optax.inject_hyperparams(make)(learning_rate=decay, beta1=0.8)
    for one, other in zip(*map(jax.tree.leaves, (after(injected), after(make(decay, beta1=0.8)))), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5)
    with pytest.raises(ValueError, match=r"update\(updates, state, params\)"):
        make(0.1).update(params, make(0.1).init(params))
    with pytest.raises(ValueError, match=r"beta2 = 1.5 is out of range"):
        make(0.1, beta2=1.5)


SCHEDULES = [
    schedules.get("inverse_sqrt", a=0.1), schedules.get("inverse_time", c=2, t0=7), schedules.get("constant", alpha=0.1),
    schedules.get("cosine", peak=0.1, steps=20, floor=0.01), schedules.get("warmup_cosine", peak=0.1, steps=30, warmup=5),
    schedules.get("warmup_cosine", peak=0.1, steps=30, warmup=0), schedules.get("one_cycle", base=0.01, peak=0.1, steps=25),
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.label())
def test_schedules_drive_both_libraries(schedule):
    import jax
    import torch

    from optlab.errors import InputError

    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 1.5}], lr=0.5)
    scheduler = schedule.to_torch(optimizer)
    traced = jax.jit(schedule.to_optax())
    for step in range(35):
        exact = float(schedule.at(step))
        assert scheduler.get_last_lr() == pytest.approx([exact, 3 * exact], rel=1e-14)
        assert float(traced(step)) == pytest.approx(exact, rel=1e-5, abs=1e-8)  # single precision
        optimizer.step()
        scheduler.step()
    with pytest.raises(InputError, match="of which no schedule is a multiple: make it with another"):
        schedule.to_torch(torch.optim.SGD(parameters, lr=0.0))
    with pytest.raises(InputError, match="takes the optimizer, not a float"):
        schedule.to_torch(0.1)


def own_rule():
    """Signed momentum with a cubed gradient's memory: no library has it."""
    beta, m, push = symbol("beta"), symbol("m"), symbol("push")
    return Rule(
        name="own", parameters={beta: Parameter("8/10", within="[0, 1)")}, state={m: State(init=0)},
        equations=((m, beta * m + (1 - beta) * g), (push, m / (abs(m) + alpha)), (theta, theta - alpha * push)),
    )  # fmt: skip


@pytest.mark.parametrize("which", ["lion", "own"])
def test_a_rule_of_ones_own_trains_a_network(which):
    """A small torch network learns two moons with the exported rule, its learning rate driven by a schedule."""
    import torch

    rule = rules.get(LION) if which == "lion" else own_rule()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    angle, side = torch.rand(200) * 3.14159, torch.arange(200) % 2
    points = torch.stack([torch.cos(angle) * (1 - 2 * side) + side, torch.sin(angle) * (1 - 2 * side) + side / 2], 1) + 0.1 * torch.randn(
        200, 2
    )
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    optimizer = rule.to_torch()(model.parameters(), lr=0.01)
    scheduler = schedules.get("warmup_cosine", peak=0.03, warmup=10, steps=400).to_torch(optimizer)
    losses = []
    for _ in range(400):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(points), side)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    accuracy = (model(points).argmax(1) == side).float().mean().item()
    assert losses[-1] < 0.5 * losses[0]
    assert accuracy > 0.9
    assert optimizer.param_groups[0]["lr"] == 0


def test_every_variant_has_sources_that_load():
    """All spellings of all rules, also those that no library has: the modules import and the class can be made."""
    import torch

    count = 0
    for rule in rules.builtin():
        for options in itertools.product(*rule.variants.values()):
            chosen = rule.with_(**dict(zip(rule.variants, options, strict=True)))
            made = chosen.to_torch()([torch.nn.Parameter(torch.ones(1))])
            assert made.param_groups[0].keys() >= {str(key) for key in chosen.parameters}
            assert inspect.signature(chosen.to_optax()).parameters.keys() == {"learning_rate", *map(str, chosen.parameters)}
            count += 1
    assert count > 60
