"""What is printed for other libraries, without them: it is Python, stands alone, and says what it was printed from."""

import ast
import builtins
import importlib
import math
import sys

import pytest
import sympy as sp

from optlab import rules, schedules
from optlab.errors import InputError, MissingDependencyError, UnknownNameError, UnsupportedError
from optlab.export.optax import optax_source
from optlab.export.printing import JaxPrinter, PlainPrinter, TorchPrinter
from optlab.export.schedules import python_schedule, schedule_source
from optlab.export.torch import torch_source
from optlab.rules import Parameter, Rule, State, alpha, g, symbol, t, theta

SOURCES = {"torch": torch_source, "optax": optax_source}
x, y, b = symbol("x"), symbol("y"), symbol("b")


def imported(source):
    """The top-level names that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return names


@pytest.mark.parametrize("library", SOURCES)
@pytest.mark.parametrize("rule", rules.builtin(), ids=lambda rule: rule.name)
def test_the_source_stands_alone_and_uses_what_it_imports(library, rule):
    source = SOURCES[library](rule)
    known = {"torch": {"torch", "math", "contextlib"}, "optax": {"optax", "jax", "math"}}[library]
    assert imported(source) <= known
    assert library in imported(source)
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert imported(source) - {"contextlib"} <= used
    for left, right in rule.unbound().equations:  # as a reader finds them in the docstring
        assert f"{left} <- " in source, right


@pytest.mark.parametrize("library", SOURCES)
def test_options_become_defaults_and_variants_are_chosen(library):
    source = SOURCES[library](rules.get("adam"), beta2=0.95, eps_placement="both", eps_root="1e-6")
    assert "*, beta1=0.9, beta2=0.95, eps=1e-08, eps_root=1e-06)" in source
    assert "eps + " in source
    with pytest.raises(UnknownNameError, match="did you mean 'beta2'"):
        SOURCES[library](rules.get("adam"), beta=0.5)
    with pytest.raises(InputError, match="out of range"):
        SOURCES[library](rules.get("adam"), beta1=1)


@pytest.mark.parametrize("library", SOURCES)
def test_a_hyper_parameter_without_a_default_must_be_given(library):
    own = Rule(name="own", parameters={b: Parameter(within="(0, 1]"), y: Parameter(2)}, equations=((theta, theta - alpha * b * g / y),))
    source = SOURCES[library](own)
    assert "*, b, y=2)" in source
    assert "not 0 < " in source
    assert "it must lie in (0, 1]" in source


@pytest.mark.parametrize("library", SOURCES)
def test_what_cannot_be_exported_is_said_in_one_line(library):
    lr, m, s = symbol("lr"), symbol("m"), symbol("s")
    with pytest.raises(InputError, match="has an option lr of its own; give the parameter another name") as caught:
        SOURCES[library](Rule(name="own", parameters={lr: Parameter(1)}, equations=((theta, theta - lr * g),)))
    assert "\n" not in str(caught.value)
    with pytest.raises(UnsupportedError, match="no kernel code for gamma"):
        SOURCES[library](Rule(name="own", state={m: State()}, equations=((m, sp.gamma(g)), (theta, theta - alpha * m))))
    with pytest.raises(InputError, match="the scalar state s depends on theta, g or a coordinate state"):
        SOURCES[library](Rule(name="own", state={s: State(kind="scalar")}, equations=((s, s + g), (theta, theta - alpha * s))))


def test_a_name_that_the_code_uses_itself_gets_an_underscore():
    group, state = symbol("group"), symbol("state")
    own = Rule(
        name="own", parameters={group: Parameter(2)}, state={state: State()}, equations=((state, state + group * g), (theta, theta - state))
    )
    assert "state_ = state_ + g * group_" in torch_source(own)
    assert 'group["group"]' in torch_source(own)
    assert "def own(learning_rate, *, group=2)" in optax_source(own)


def test_what_is_kept_is_no_other_tensors_memory():
    """The gradient itself as a state, and two states that trade places: copies, not names for the same memory."""
    m, before = symbol("m"), symbol("previous")
    own = Rule(name="own", state={m: State(), before: State()}, equations=((before, m), (m, g), (theta, theta - alpha * before)))
    assert "previous = m.clone()" in torch_source(own)
    assert "m = g.clone()" in torch_source(own)


def test_only_rules_that_look_ahead_have_a_point():
    for rule in rules.builtin():
        ahead = rule.gradient_at != theta
        assert ("def looking_ahead(self):" in torch_source(rule)) is ahead
        assert ("def point(params, state):" in optax_source(rule)) is ahead
    assert [rule.name for rule in rules.builtin() if rule.gradient_at != theta] == ["nesterov"]


def test_increments_are_taken_off_the_expression():
    """theta + step - theta would lose a small step: no optax source subtracts theta where the rule can be split."""
    for rule in rules.builtin():
        assert "- before" not in optax_source(rule), rule.name
    bent = Rule(name="bent", equations=((theta, theta / (1 + alpha * theta**2)),))
    assert "update = theta - before" in optax_source(bent)
    assert "needs the parameters" in optax_source(rules.get("adamw"))
    assert "needs the parameters" not in optax_source(rules.get("adam"))


@pytest.mark.parametrize(
    ("expression", "plain", "torch", "jax"),
    [
        (sp.Rational(1, 4) * x**2, "0.25 * x**2", "0.25 * x**2", "0.25 * x**2"),
        (sp.sqrt(x + 1), "math.sqrt(1 + x)", "torch.sqrt(1 + x)", "jnp.sqrt(1 + x)"),
        (1 / sp.sqrt(x), "1 / math.sqrt(x)", "1 / torch.sqrt(x)", "1 / jnp.sqrt(x)"),
        (x**-y, "x**(-y)", "x**(-y)", "x**(-y)"),
        (sp.exp(-x), "math.exp(-x)", "torch.exp(-x)", "jnp.exp(-x)"),
        (sp.Max(x, 0), "max(0, x)", "torch.clamp(x, min=0)", "jnp.maximum(0, x)"),
        (sp.Min(x, g), "min(g, x)", "torch.minimum(g, x)", "jnp.minimum(g, x)"),
        (abs(x), "abs(x)", "torch.abs(x)", "jnp.abs(x)"),
        (sp.sign(x), "sign(x)", "sign(x)", "jnp.sign(x)"),
        (sp.floor(x), "math.floor(x)", "torch.floor(x)", "jnp.floor(x)"),
        (sp.asin(x), "math.asin(x)", "torch.asin(x)", "jnp.arcsin(x)"),
        (sp.Piecewise((x, t > 2), (1, True)), "(x if t > 2 else 1)", "(x if t > 2 else 1)", "jnp.where(t > 2, x, 1)"),
        (sp.Piecewise((1, x > 2), (0, True)), "(1 if x > 2 else 0)",
         "torch.where(x > 2, parameter.new_tensor(1), 0)", "jnp.where(x > 2, 1, 0)"),
        (sp.Piecewise((x, (x > 0) & (g < 1)), (g, True)), "(x if (x > 0) and (g < 1) else g)",
         "torch.where((x > 0) & (g < 1), x, g)", "jnp.where((x > 0) & (g < 1), x, g)"),
        (x / (1 - b**t), "x / (1 - b**t)", "x / (1 - b**t)", "x / complement(b, t)"),
        (sp.sqrt(1 - b**t) * x, "x * math.sqrt(1 - b**t)", "x * math.sqrt(1 - b**t)", "x * jnp.sqrt(complement(b, t))"),
    ],
)  # fmt: skip
def test_expressions_are_printed_as_people_write_them(expression, plain, torch, jax):
    assert PlainPrinter()(expression) == plain
    assert TorchPrinter({x, g})(expression) == torch
    printer = JaxPrinter({b})
    assert printer(printer.prepared(expression)) == jax


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.get("constant", alpha=0.1), schedules.get("inverse_sqrt", a=0.1), schedules.get("inverse_time", c=2, t0=7),
        schedules.get("cosine", peak=0.1, steps=20, floor=0.01), schedules.get("warmup_cosine", peak=0.1, steps=30, warmup=5),
        schedules.get("warmup_cosine", peak=0.1, steps=30, warmup=0), schedules.get("one_cycle", base=0.01, peak=0.1, steps=25),
    ],
    ids=lambda schedule: schedule.label(),
)  # fmt: skip
def test_a_schedule_in_plain_python_is_the_exact_one_rounded(schedule):
    rate = python_schedule(schedule)
    for step in range(40):
        exact = float(sp.N(schedule.at(step), 30))
        assert math.isclose(rate(step), exact, rel_tol=1e-14, abs_tol=1e-17), step
    assert imported(schedule_source(schedule)) <= {"math"}
    assert imported(schedule_source(schedule, "optax")) == {"jax"}


def test_a_schedule_needs_its_numbers():
    with pytest.raises(InputError, match="cosine needs a value for peak"):
        schedule_source(schedules.get("cosine", steps=10))


def test_a_missing_library_is_one_line(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] in ("torch", "optax", "jax"):
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    def no_module(name, package=None):
        return without(name) if name.split(".")[0] in ("torch", "optax", "jax") else sys.modules[name]

    for name in ("torch", "optax", "schedules"):
        importlib.import_module(f"optlab.export.{name}")
    monkeypatch.setattr("optlab.libraries.importlib.import_module", no_module)
    cosine = schedules.get("cosine", peak=0.1, steps=10)
    for call, needs in [
        (rules.get("adam").to_torch, "torch"),
        (rules.get("adam").to_optax, "optax"),
        (lambda: cosine.to_torch(None), "torch"),
        (cosine.to_optax, "jax"),
    ]:
        with pytest.raises(MissingDependencyError, match=f"needs {needs}, which is not installed: pip install") as caught:
            call()
        assert "\n" not in str(caught.value)
