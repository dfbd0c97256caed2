"""What is derived of adaptive rules, whose step is divided by a scale that the gradients make. One topic per file.

``analyze_adaptive(rule)`` gives all of it, for any rule whose update is linear once its scale is held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType

import sympy as sp

from optlab import rules
from optlab.analysis.adaptive.first_step import first_step_statements
from optlab.analysis.adaptive.frozen import Frozen, freeze, frozen_statements
from optlab.analysis.adaptive.limit_cycle import limit_cycle_statements
from optlab.analysis.adaptive.minimum import minimum_statements
from optlab.analysis.adaptive.nonconvergence import nonconvergence_statements
from optlab.analysis.adaptive.scale_invariant import scale_invariant
from optlab.analysis.adaptive.stationary import stationary_statements
from optlab.analysis.adaptive.weight_decay import weight_decay_statements
from optlab.analysis.kept import Kept
from optlab.errors import InputError, UnknownNameError, UnsupportedError
from optlab.expressions import Rule
from optlab.statements import Statement

__all__ = ["Adaptive", "Frozen", "analyze_adaptive", "freeze", "scale_invariant"]

Found = tuple[tuple[Statement, ...], Mapping[str, str]]

TOPICS: Mapping[str, Callable[[Rule], Found]] = MappingProxyType(
    {
        "first_step": first_step_statements,
        "frozen": frozen_statements,
        "minimum": minimum_statements,
        "limit_cycle": limit_cycle_statements,
        "stationary": stationary_statements,
        "weight_decay": weight_decay_statements,
        "scale_invariant": scale_invariant,
        "nonconvergence": nonconvergence_statements,
    }
)  #: topic to the function that derives its statements, in the order in which they are shown


class Adaptive:
    """The statements about an adaptive rule, by topic; each topic is derived when it is first asked for.

    ``first_step``, ``frozen``, ``minimum``, ``limit_cycle``, ``stationary``, ``weight_decay``, ``scale_invariant`` and
    ``nonconvergence`` are tuples of :class:`Statement`; ``statements`` is all of them, ``items()`` their expressions by name,
    ``self["sharpness_threshold"]`` one of them. ``reasons`` says in a line why something does not exist for this rule.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._found: dict[str, Found] = {}
        self.kept = Kept("adaptive", rule.fingerprint, rule.name, str(rule.analysis))
        self.kept.get("scale", lambda: str(freeze(rule).P))  # refuses what is no adaptive rule

    def topic(self, name: str) -> tuple[Statement, ...]:
        """The statements of one topic (see ``TOPICS``)."""
        if name not in TOPICS:
            raise UnknownNameError("topic", name, TOPICS)
        if name not in self._found:
            self._found[name] = self.kept.get(name, lambda: self._derive(name))
        return self._found[name][0]

    def topic_reasons(self, name: str) -> Mapping[str, str]:
        """Why something of a topic does not exist for this rule."""
        self.topic(name)
        return self._found[name][1]

    def _derive(self, name: str) -> Found:
        try:
            stated, reasons = TOPICS[name](self.rule)
        except UnsupportedError as error:
            return (), {name: str(error)}
        lost = {s.name: f"rule {self.rule.name}: its formula is undefined (0/0)" for s in stated if s.expression.has(sp.nan, sp.zoo)}
        return tuple(s for s in stated if s.name not in lost), {**reasons, **lost}

    first_step = property(lambda self: self.topic("first_step"), doc="The first step, eps, and a constant gradient.")
    frozen = property(lambda self: self.topic("frozen"), doc="Stability with the scale held fixed.")
    minimum = property(lambda self: self.topic("minimum"), doc="Stability of the minimum as a condition on eps.")
    limit_cycle = property(lambda self: self.topic("limit_cycle"), doc="The cycle of period two.")
    stationary = property(lambda self: self.topic("stationary"), doc="The variance under gradient noise.")
    weight_decay = property(lambda self: self.topic("weight_decay"), doc="The fixed point under weight decay.")
    scale_invariant = property(lambda self: self.topic("scale_invariant"), doc="The equilibrium of scale-invariant weights.")
    nonconvergence = property(lambda self: self.topic("nonconvergence"), doc="Reddi, Kale and Kumar's example.")

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement, topic by topic."""
        return tuple(statement for name in TOPICS for statement in self.topic(name))

    @property
    def reasons(self) -> dict[str, str]:
        """Why something does not exist for this rule, by the name of the topic or statement."""
        return {key: reason for name in TOPICS for key, reason in self.topic_reasons(name).items()}

    def items(self) -> dict[str, sp.Basic]:
        """Every expression by its statement's name."""
        return {statement.name: statement.expression for statement in self.statements}

    def __getitem__(self, name: str) -> Statement:
        found = {statement.name: statement for statement in self.statements}
        if name not in found:
            if name in self.reasons:
                raise InputError(f"{self.rule.label()} has no {name}: {self.reasons[name]}")
            raise UnknownNameError(f"statement about {self.rule.name}", name, found)
        return found[name]

    def __repr__(self) -> str:
        return f"<adaptive statements about {self.rule.label()}>"


@lru_cache(maxsize=256)
def _adaptive(rule: Rule) -> Adaptive:
    return Adaptive(rule)


def analyze_adaptive(rule: Rule | str) -> Adaptive:
    """Derive what an adaptive rule does: first step, stability, cycles, noise, weight decay, and where it does not converge.

    Raises UnsupportedError for a rule that is linear already (:func:`optlab.analyze` is for those), NotLinearError for one that is
    not linear even with its scale held fixed.

    >>> analyze_adaptive("adam")["sharpness_threshold"].expression
    2*(beta1 + 1)/(alpha*(1 - beta1))
    """
    return _adaptive(rules.get(rule))
