"""Checking any optimizer: against a rule, with the mistake named where they part, and by what every optimizer should do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optlab import rules
from optlab.errors import CheckFailed, InputError, OptlabError
from optlab.expressions import Rule
from optlab.verify.drivers import Driver, driver_of, framework_of
from optlab.verify.evaluation import Program, Setting, agrees, deviation, label
from optlab.verify.explanations import explain
from optlab.verify.probes import telling
from optlab.verify.rules import Check
from optlab.verify.shrinking import shortest

#: What is only reported, unless ``strict=True``.
REPORTED = ("saved and loaded", "gradient missing", "closure", "NaN", "default dtype")
_WORDS = {True: "ok", False: "FAILED", None: "-"}


def check_optimizer(
    make: Any,
    *,
    rule: Rule | str | None = None,
    dialect: str | None = None,
    framework: str | None = None,
    lr: float | None = None,
    strict: bool = False,
    rng: Any = 0,
    steps: int = 40,
    raises: bool = True,
) -> list[Check]:
    """Check an optimizer of any framework: that it does what its rule says, and behaves as an optimizer should.

    Parameters
    ----------
    make
        What makes it: ``make(params, lr=...)`` for torch and for plain objects on NumPy arrays, ``make(learning_rate)`` for optax and
        keras, or a function ``update(theta, gradient, state, lr) -> (theta, state)``; see :mod:`optlab.verify.drivers`.
    rule
        The rule that it should follow: a name, a call such as ``"adam(beta2=0.99)"``, ``"mine.py:MINE"`` or a :class:`Rule`. Without
        one, the built-in rules are tried and the one that it follows is reported.
    dialect
        The library whose form of the rule is meant (``"torch"``: eps outside the root, ...); the article's form by default.
    framework
        ``"torch"``, ``"optax"``, ``"keras"``, ``"plain"`` or ``"function"``; found out by default.
    lr
        The learning rate of an optimizer that cannot be given another one, such as a ready ``optax.adam(0.1)``.
    strict
        Also raise for what is only reported otherwise: state that does not survive saving and loading, a missing gradient, closures,
        NaN that is swallowed, states in the framework's default float type.
    rng
        Seed of the gradients.
    steps
        How many steps are compared.

    The checks:

    - *rule*: theta after each of ``steps`` steps, in float64, on six coordinates in two parameters, with gradients of all sizes (zeros,
      spikes, as small as eps) and changing learning rates: within 1e-10 of the way gone. Where they part, mistakes made from the
      rule's own equations are tried, and the one that does the same is named, with the shortest gradients that show it;
    - *gradient untouched*: the gradients that it was given are not changed;
    - *zero gradient*: zero gradients from the start move theta as the rule says (not at all, but for weight decay);
    - *scale*: multiplied gradients multiply the steps by the power that the rule has at eps = 0 (0 for Adam, 1 for SGD);
    - *float32*: in single precision theta stays in it, within 1e-3 of the rule;
    - *coordinates apart*: NaN in one coordinate's gradient reaches no other coordinate;
    - reported: *saved and loaded* (goes on bit by bit), *gradient missing* (None: that parameter rests, the others move), *closure*
      (torch: called once, its loss returned), *NaN* (is not swallowed), *default dtype* (torch: no state in the default float type).

    Returns the checks; ``passed`` is None where there is nothing to compare. Raises CheckFailed with a message of a few lines
    unless ``raises=False``, InputError if the optimizer cannot be run, and MissingDependencyError if its framework is missing.

    >>> def sgd(theta, gradient, state, lr):
    ...     return theta - lr * gradient, state
    >>> check_optimizer(sgd, rule="sgd")[0]
    Check(name='rule', passed=True, detail='follows sgd over 40 steps, within 0.0e+00 of the way gone; limit 1e-10')
    >>> check_optimizer(sgd, rule="momentum")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    optlab.errors.CheckFailed: sgd does not follow momentum. Likely cause: the state not kept: it starts anew in every step...
    """
    wanted = rules.get(rule) if rule is not None else None
    if dialect is not None:
        if wanted is None:
            raise InputError(f"dialect = {dialect!r} needs a rule: give rule='adam', say")
        wanted = wanted.dialect(dialect)
    if int(steps) < 2:
        raise InputError(f"steps = {steps} is too few: give at least 2")
    subject = Subject(make, framework or framework_of(make), lr, wanted, int(steps), rng)
    checks = list(_checks(subject))
    failed = [check for check in checks if check.passed is False and (strict or check.name not in REPORTED)]
    if failed and raises:
        raise CheckFailed("\n".join(check.detail for check in failed[:1]) if failed[0].name == "rule" else _line(subject, failed[0]))
    return checks


def _line(subject: Subject, check: Check) -> str:
    return f"{subject.name}: {check.name}: {check.detail}"


@dataclass(frozen=True)
class Subject:
    """The optimizer under test, and how it is run."""

    make: Any
    framework: str
    lr: float | None
    rule: Rule | None
    steps: int
    rng: Any

    @property
    def name(self) -> str:
        """What the user calls it."""
        name = getattr(self.make, "__name__", None) or type(self.make).__name__
        return "the optimizer" if name == "<lambda>" else str(name)

    @cached_property
    def setting(self) -> Setting:
        """What it is fed."""
        return telling(self.rule, rng=self.rng, steps=self.steps, constant_rate=self.rate)

    @cached_property
    def rate(self) -> float | None:
        """The one learning rate, where it cannot change."""
        if self.lr is not None:
            return float(self.lr)
        try:
            driver = self.driver(telling(steps=2))
            for rate in (0.01, 0.02):
                driver.step(driver.split(np.ones(6)), rate)
        except InputError as error:
            if "learning rate" not in str(error) or "fails with" in str(error):
                raise
            if "ready" in str(error):
                raise InputError(f"{error}, or its learning rate as lr=...") from None
            return 0.1
        return None

    def driver(self, setting: Setting, dtype: str = "float64") -> Driver:
        """A fresh optimizer."""
        return driver_of(
            self.make, start=setting.start, rate=float(setting.rates[0]), framework=self.framework, sizes=setting.sizes, dtype=dtype
        )

    def run(self, setting: Setting, dtype: str = "float64") -> np.ndarray:
        """theta before and after each step."""
        driver = self.driver(setting, dtype)
        out = [driver.theta.astype(float)]
        for gradient, rate in zip(setting.gradients, setting.rates, strict=True):
            driver.step(driver.split(gradient), float(rate))
            out.append(driver.theta.astype(float))
        return np.array(out)


def _checks(subject: Subject) -> Iterator[Check]:
    yield _follows(subject) if subject.rule else _recognized(subject)
    for name, check in (
        ("gradient untouched", _untouched),
        ("zero gradient", _at_rest),
        ("scale", _scaled),
        ("float32", _single),
        ("coordinates apart", _apart),
        ("NaN", _swallowed),
        ("saved and loaded", _round_trip),
        ("gradient missing", _missing),
        ("closure", _closure),
        ("default dtype", _default_dtype),
    ):
        yield _safely(name, check, subject)


def _safely(name: str, check: Callable[[Subject], tuple[bool | None, str]], subject: Subject) -> Check:
    """A check of a thing that may raise anything: that is a failure of this check, said in one line."""
    try:
        return Check(name, *check(subject))
    except OptlabError as error:
        return Check(name, None, f"not tried: {error}")
    except Exception as error:
        return Check(name, False, f"raises {type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


def _follows(subject: Subject) -> Check:
    rule, setting = subject.rule, subject.setting
    assert rule is not None
    expected, found = Program.of(rule).run(setting), subject.run(setting)
    gone = float(np.max(deviation(found, expected))) * 1e-10
    if agrees(found, expected):
        return Check("rule", True, f"follows {label(rule)} over {subject.steps} steps, within {gone:.1e} of the way gone; limit 1e-10")
    return Check("rule", False, diagnosis(subject, rule, expected, found))


def diagnosis(subject: Subject, rule: Rule, expected: np.ndarray, found: np.ndarray) -> str:
    """What differs, the likely cause, the shortest case, and how to see it again: a few lines."""
    setting = subject.setting
    cause = explain(rule, setting, found)
    apart = np.argwhere(deviation(found, expected) > 1)
    step, place = map(int, apart[0])
    likely = f"Likely cause: {cause.words}." if cause else f"They part in step {step}; no one or two changes of the rule explain how."
    gradients, rates, start = shortest(
        lambda case: subject.run(case), Program.of(rule).run, setting, place, constant=subject.rate is not None
    )
    case = Setting(gradients, rates, start, (1,) * len(start))
    want, got = Program.of(rule).run(case), subject.run(case)
    last = int(np.argwhere(deviation(got, want) > 1)[0][0])
    coordinate = int(np.argmax(deviation(got, want)[last]))
    listed = ", ".join(_number(row) for row in gradients)
    lines = [
        f"{subject.name} does not follow {label(rule)}. {likely}",
        f"  Parting: from theta = {_number(start)}, gradients {listed}, learning rates {', '.join(f'{r:g}' for r in rates)}:",
        f"  theta after step {last} should be {want[last, coordinate]:.10g} and is {got[last, coordinate]:.10g}"
        + (f" (coordinate {coordinate})." if len(start) > 1 else "."),
    ]
    hint = _hint(rule, setting, found)
    if hint:
        lines.append(f"  {hint}")
    lines.append(f"  See it: optlab.verify.drivers.run({_source(subject)}, {_list(gradients)}, {_list(rates)}, start={_list(start)})")
    return "\n".join(lines)


def _number(values: Any) -> str:
    values = np.atleast_1d(values)
    return f"{values[0]:g}" if len(values) == 1 else "(" + ", ".join(f"{v:g}" for v in values) + ")"


def _list(values: np.ndarray) -> str:
    return str(np.asarray(values).tolist())


def _source(subject: Subject) -> str:
    return subject.name if subject.name != "the optimizer" else "make"


def _hint(rule: Rule, setting: Setting, found: np.ndarray) -> str:
    """Where it is the rule as a library writes it, say so."""
    for library in rule.dialects:
        spelled = rule.extend(bound=rule.bound).dialect(library)
        if agrees(found, Program.of(spelled).run(setting)):
            return f'It is {rule.name} as {library} writes it: if that is meant, say dialect="{library}".'
    return ""


def _recognized(subject: Subject) -> Check:
    """Without a rule: which built-in one it follows."""
    found = subject.run(subject.setting)
    for rule in rules.builtin():
        for library in (None, *rule.dialects):
            spelled = rule.dialect(library) if library else rule
            if agrees(found, Program.of(spelled).run(subject.setting)):
                words = f"follows {label(spelled)}" + (f", {library}'s {rule.name}" if library else "")
                return Check("rule", None, words)
    return Check("rule", None, "follows no built-in rule at its default values; give rule=... to compare it with one")


def _untouched(subject: Subject) -> tuple[bool | None, str]:
    setting = subject.setting.until(3)
    driver = subject.driver(setting)
    for number, (gradient, rate) in enumerate(zip(setting.gradients, setting.rates, strict=True), 1):
        left = driver.step(driver.split(gradient), float(rate))
        for given, after in zip(driver.split(gradient), left, strict=True):
            if after is not None and not np.array_equal(given, after):
                place = int(np.argmax(given.ravel() != after.ravel()))
                return (
                    False,
                    f"step {number} changes the gradient it was given, in place: {given.ravel()[place]:g} became {after.ravel()[place]:g}",
                )
    return True, "the gradients that it is given stay as they are"


def _at_rest(subject: Subject) -> tuple[bool | None, str]:
    setting = subject.setting.until(5)
    setting = replace(setting, gradients=0 * setting.gradients)
    found = subject.run(setting)
    moved = float(np.max(np.abs(found - found[0])))
    if subject.rule is None:
        return None, "zero gradients leave theta where it is" if moved == 0 else f"five zero gradients move theta by up to {moved:.3g}"
    expected = Program.of(subject.rule).run(setting)
    if np.isnan(expected).any():
        return None, f"{label(subject.rule)} divides zero by zero here"
    should = float(np.max(np.abs(expected - expected[0])))
    if agrees(found, expected):
        return (
            True,
            "zero gradients leave theta where it is"
            if should == 0
            else f"five zero gradients move theta by {should:.3g}, as the rule says",
        )
    return False, f"five zero gradients move theta by up to {moved:.3g}; the rule says {should:.3g}"


def _scaled(subject: Subject) -> tuple[bool | None, str]:
    """Gradients times 2^10 at large gradients, where eps does not count; the power is read off the rule at eps = 0."""
    if subject.rule is None:
        return None, "no rule to take the power from"
    factor, program = 1024.0, Program.of(subject.rule)
    base = subject.setting.until(8)
    signs = np.where(base.gradients < 0, -1.0, 1.0)
    base = replace(base, gradients=signs * (1e4 + 1e4 * np.abs(base.gradients / (1 + np.abs(base.gradients)))), start=0 * base.start)
    large = replace(base, gradients=factor * base.gradients)
    without = program.with_values({key: 0.0 for key in program.values if str(key) == "eps"})
    one, two = without.run(base), without.run(large)
    powers = [p for p in (0, 1, 2) if agrees(two, one * factor**p)]
    if not powers:
        return None, "the rule has no such symmetry"
    power = powers[0]

    def off(run: Callable[[Setting], np.ndarray]) -> float:
        ours, theirs = run(base), run(large)
        size = np.max(np.abs(ours), axis=0)
        return float(np.max(np.abs(theirs / factor**power - ours) / np.where(size > 0, size, 1)))

    found, limit = off(subject.run), max(1e-6, 2 * off(program.run))  # a large eps counts here too
    words = {0: "does not change the steps", 1: "multiplies the steps as much", 2: "multiplies the steps by its square"}[power]
    return found <= limit, f"multiplying every gradient by 1024 {words}" + (
        "" if found <= limit else f" in the rule; here they are off by {found:.1e}"
    )


def _single(subject: Subject) -> tuple[bool | None, str]:
    driver = subject.driver(subject.setting, "float32")
    for gradient, rate in zip(subject.setting.gradients[:5], subject.setting.rates[:5], strict=True):
        driver.step(driver.split(gradient), float(rate))
    kept = {array.dtype.name for array in driver.parameters}
    if kept != {"float32"}:
        return False, f"float32 parameters become {', '.join(sorted(kept - {'float32'}))}"
    if subject.rule is None:
        return True, "float32 parameters stay float32"
    expected = Program.of(subject.rule).run(subject.setting.until(5))
    size = np.maximum(np.abs(expected - expected[0]).max(0), 1e-6 * np.abs(expected).max(0))
    with np.errstate(all="ignore"):
        off = np.abs(driver.theta - expected[-1]) / np.where(size > 0, size, 1)
    ordinary = [0, 3, 5]  # the others have gradients whose squares are beyond float32
    worst = float(np.max(off[ordinary]))
    return worst <= 1e-3, f"float32 parameters stay float32, within {worst:.0e} of the way gone; limit 1e-3"


def _with_nan(subject: Subject) -> tuple[np.ndarray, np.ndarray, int]:
    setting = subject.setting.until(6)
    gradients = setting.gradients.copy()
    gradients[2, 0] = np.nan
    return subject.run(replace(setting, gradients=gradients)), subject.run(setting), 0


def _apart(subject: Subject) -> tuple[bool | None, str]:
    found, clean, place = _with_nan(subject)
    others = [i for i in range(found.shape[1]) if i != place]
    reached = [i for i in others if not np.array_equal(found[:, i], clean[:, i], equal_nan=True)]
    if reached:
        return False, f"NaN in the gradient of coordinate {place} changes coordinates {', '.join(map(str, reached))}"
    return True, "NaN in one coordinate's gradient reaches no other"


def _swallowed(subject: Subject) -> tuple[bool | None, str]:
    found, _, place = _with_nan(subject)
    if np.isnan(found[3:, place]).all():
        return True, "a NaN gradient makes theta NaN, there and from then on"
    return False, "a NaN gradient is swallowed: theta stays finite, so that a run that failed looks well"


def _round_trip(subject: Subject) -> tuple[bool | None, str]:
    setting = subject.setting.until(20)
    one = subject.driver(setting)
    half = len(setting.rates) // 2
    for gradient, rate in zip(setting.gradients[:half], setting.rates[:half], strict=True):
        one.step(one.split(gradient), float(rate))
    other = one.reopened()
    for number, (gradient, rate) in enumerate(zip(setting.gradients[half:], setting.rates[half:], strict=True), half + 1):
        one.step(one.split(gradient), float(rate))
        other.step(other.split(gradient), float(rate))
        if not np.array_equal(one.theta, other.theta, equal_nan=True):
            place = int(np.argmax(one.theta != other.theta))
            a, b = one.theta[place], other.theta[place]
            return (
                False,
                f"saved after step {half} and loaded, step {number} gives {b:.10g}; without saving {a:.10g}: some state is not saved",
            )
    return True, f"saved after step {half} and loaded, it goes on bit by bit"


def _missing(subject: Subject) -> tuple[bool | None, str]:
    setting = subject.setting.until(3)
    driver = subject.driver(setting)
    before = driver.parameters
    try:
        for gradient, rate in zip(setting.gradients, setting.rates, strict=True):
            driver.step([driver.split(gradient)[0], None], float(rate))
    except OptlabError:
        raise
    except Exception as error:
        return False, f"a parameter without a gradient (None) raises {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    after = driver.parameters
    if not np.array_equal(before[1], after[1]):
        return False, "a parameter without a gradient (None) moves"
    if np.array_equal(before[0], after[0]):
        return False, "where one parameter has no gradient (None), the other does not move either"
    return True, "a parameter without a gradient (None) rests, and the others move"


def _closure(subject: Subject) -> tuple[bool | None, str]:
    if subject.framework != "torch":
        return None, "only torch has closures"
    from optlab.verify.drivers.torch import TorchDriver

    setting = subject.setting.until(1)
    plain, driver = subject.run(setting), subject.driver(setting)
    assert isinstance(driver, TorchDriver)
    return driver.step_with_closure(driver.split(setting.gradients[0]), float(setting.rates[0]), plain[1])


def _default_dtype(subject: Subject) -> tuple[bool | None, str]:
    if subject.framework != "torch":
        return None, "only torch has a default float type"
    from optlab.verify.drivers.torch import TorchDriver

    setting = subject.setting.until(20)
    found = subject.run(setting)
    driver = subject.driver(setting)
    assert isinstance(driver, TorchDriver)
    other = driver.rerun_in_single_default(setting.gradients, setting.rates)
    if agrees(other, found):
        return True, "float64 parameters have float64 states, whatever torch's default float type is"
    return False, "some state is made in torch's default float type, not in the parameter's: under float32, float64 parameters lose digits"
