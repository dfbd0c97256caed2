"""Mistakes around a rule rather than in it: what an optimizer is fed, what it keeps, and what it shares among parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from optlab.verify.evaluation import Program, Setting

Run = Callable[[Program, Setting], np.ndarray]
Feed = tuple[str, Run]


def _given(change: Callable[[Setting], Setting]) -> Run:
    return lambda program, setting: program.run(change(setting))


def _kept(change: Callable[[int, list[Any], list[Any], list[Any], Setting], list[Any]]) -> Run:
    """A run in which ``change(t, new, old, first, setting)`` says what is kept after each step."""

    def run(program: Program, setting: Setting) -> np.ndarray:
        first = program.first(setting.start)
        return program.run(setting, after=lambda t, new, old: change(t, new, old, first, setting))

    return run


def _skipped(program: Program, setting: Setting) -> np.ndarray:
    """The first gradient is thrown away, and the step count starts after it."""
    rest = program.run(replace(setting, gradients=setting.gradients[1:], rates=setting.rates[1:]))
    return np.concatenate([setting.start[None], rest])


def _twice(program: Program, setting: Setting) -> np.ndarray:
    return program.run(replace(setting, gradients=np.repeat(setting.gradients, 2, 0), rates=np.repeat(setting.rates, 2)))[::2]


def _count_per_parameter(program: Program, setting: Setting) -> np.ndarray:
    """One step count for all parameters, raised for each of them."""
    place = np.concatenate([np.full(size, k + 1) for k, size in enumerate(setting.sizes)])
    return program.run(setting, count=lambda t: len(setting.sizes) * (t - 1) + place)


def _shared(common: list[int]) -> Run:
    """States that all parameters (of equal size) share: each updates what the one before it left."""

    def run(program: Program, setting: Setting) -> np.ndarray:
        numbers = tuple(program.values.values())
        now = [program.first(setting.start[where]) for where in setting.slices]
        out = [setting.start]
        with np.errstate(all="ignore"):
            for t, (gradient, rate) in enumerate(zip(setting.gradients, setting.rates, strict=True), 1):
                for k, where in enumerate(setting.slices):
                    held = list(now[k])
                    for state in common:
                        held[state] = now[k - 1][state]  # the last parameter's of the step before, for the first one
                    try:
                        now[k] = list(program.step(*held, gradient[where], float(rate), t, *numbers))
                    except ArithmeticError:
                        now[k] = [np.full(gradient[where].shape, np.nan) for _ in held]
                out.append(np.concatenate([np.broadcast_to(state[0], size) for state, size in zip(now, setting.sizes, strict=True)]))
        return np.array(out)

    return run


def _rounded(indices: list[int]) -> Run:
    def change(t: int, new: list[Any], old: list[Any], first: list[Any], setting: Setting) -> list[Any]:
        return [np.float64(np.float32(value)) if i in indices else value for i, value in enumerate(new)]

    return _kept(change)


def _anew(which: int, t: int, new: list[Any], old: list[Any], first: list[Any], setting: Setting) -> list[Any]:
    return [first[i] if i == which else value for i, value in enumerate(new)]


def _anew_with_count(program: Program, setting: Setting) -> np.ndarray:
    first = program.first(setting.start)
    return program.run(setting, count=lambda t: 1, after=lambda t, new, old: [new[0], *first[1:]])


def _forgotten(which: int, t: int, new: list[Any], old: list[Any], first: list[Any], setting: Setting) -> list[Any]:
    return [0 * value if i == which and t == 1 else value for i, value in enumerate(new)]


def _clipped(limit: float, setting: Setting) -> Setting:
    return replace(setting, gradients=np.clip(setting.gradients, -limit, limit))


def _only_first(t: int, new: list[Any], old: list[Any], first: list[Any], setting: Setting) -> list[Any]:
    inside = np.arange(len(setting.start)) < setting.sizes[0]
    return [np.where(inside, value, kept) for value, kept in zip(new, old, strict=True)]


def _clipped_norm(limit: float, per_parameter: bool) -> Run:
    def change(setting: Setting) -> Setting:
        gradients = setting.gradients.copy()
        for where in setting.slices if per_parameter else [slice(None)]:
            length = np.linalg.norm(gradients[:, where], axis=1, keepdims=True)
            gradients[:, where] *= np.minimum(1, limit / np.maximum(length, 1e-300))
        return replace(setting, gradients=gradients)

    return _given(change)


def feeds(program: Program) -> Iterator[Feed]:
    """Each mistake with its words and the run of a program under it."""
    states = program.states[1:]
    yield "the first step does nothing: the first gradient is thrown away", _skipped
    held = _kept(lambda t, new, old, first, setting: [old[0], *new[1:]] if t == 1 else new)
    yield "the first step only fills the state: theta stays where it is", held
    lost = _kept(lambda t, new, old, first, setting: list(old) if t == 1 else new)
    yield "the first step does nothing, though it is counted", lost
    yield "two steps in every call", _twice
    negated = _given(lambda s: replace(s, gradients=-s.gradients))
    yield "the gradient's sign flipped: it climbs (maximize?)", negated
    before = _given(lambda s: replace(s, gradients=np.concatenate([0 * s.gradients[:1], s.gradients[:-1]])))
    yield "the gradient of the step before in place of the present one", before
    yield "gradients summed over the steps: they are never set to zero", _given(lambda s: replace(s, gradients=np.cumsum(s.gradients, 0)))
    yield (
        "the learning rate read only once: a change of it is ignored",
        _given(lambda s: replace(s, rates=np.full_like(s.rates, s.rates[0]))),
    )
    yield (
        "the learning rate of the step before in place of the present one",
        _given(lambda s: replace(s, rates=np.concatenate([s.rates[:1], s.rates[:-1]]))),
    )
    yield "one step count shared by all parameters, raised for each of them", _count_per_parameter
    yield "only the first parameter updated", _kept(_only_first)
    if states:
        yield "the state not kept: it starts anew in every step", _kept(lambda t, new, old, first, setting: [new[0], *first[1:]])
        yield "the state and the step count not kept: they start anew in every step", _anew_with_count
    for i, state in enumerate(states, 1):
        yield f"{state} not kept: it starts anew in every step", _kept(partial(_anew, i))
        memory = "it may be the gradient's own memory, which is set to zero after the step (no copy taken)"
        yield f"{state} forgets the first gradient: {memory}", _kept(partial(_forgotten, i))
    if states:
        yield "the state shared by all parameters", _shared(list(range(1, len(states) + 1)))
    if len(states) > 1:
        yield from ((f"{state} shared by all parameters", _shared([i])) for i, state in enumerate(states, 1))
        yield from ((f"{state} kept in single precision (float32)", _rounded([i])) for i, state in enumerate(states, 1))
    if states:
        yield "the state kept in single precision (float32)", _rounded(list(range(1, len(states) + 1)))
    yield "theta rounded to single precision (float32)", _rounded([0])
    single = _given(lambda s: replace(s, gradients=s.gradients.astype(np.float32).astype(np.float64)))
    yield "the gradient rounded to single precision (float32)", single
    for limit in (1.0, 0.1, 0.5, 5.0, 10.0):
        yield f"the gradient clipped to [-{limit:g}, {limit:g}]", _given(partial(_clipped, limit))
        yield f"the gradient clipped to length {limit:g}", _clipped_norm(limit, False)
        yield f"each parameter's gradient clipped to length {limit:g}", _clipped_norm(limit, True)
