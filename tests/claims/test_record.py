"""Verdicts follow from intervals alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optlab.claims.record import Claim, Measured, Outcome, Part, Setting, Verdict

numbers = st.floats(-10, 10)


def claim(*expected):
    parts = tuple(Part(f"p{k}", "a number", ends) for k, ends in enumerate(expected))
    return Claim(1, "demo", "", "", parts, lambda setting, run: None)


@given(st.lists(numbers, min_size=4, max_size=4))
def test_an_interval_inside_holds_outside_fails_across_is_open(values):
    low, high, a, b = *sorted(values[:2]), *sorted(values[2:])
    outcome = Part("p", "", (low, high)).outcome(Measured((a + b) / 2, a, b))
    overlap = not (b < low or a > high)
    inside = low <= a and b <= high
    assert outcome is (Outcome.HOLDS if inside else Outcome.OPEN if overlap else Outcome.FAILS)


@given(numbers, st.floats(0, 5), st.floats(0, 1))
def test_a_narrower_interval_never_turns_yes_into_no(value, half, factor):
    part = Part("p", "", (0.0, math.inf))
    wide, narrow = part.outcome(Measured.around(value, half)), part.outcome(Measured.around(value, half * factor))
    assert narrow is wide or wide is Outcome.OPEN


YES, NO, OPEN = Measured.exact(1.0), Measured.exact(-1.0), Measured(0.0, -1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((YES, YES), Verdict.HOLDS),
        ((NO, NO), Verdict.FAILS),
        ((YES, NO), Verdict.CONDITIONS),
        ((YES, NO, OPEN), Verdict.CONDITIONS),
        ((YES, OPEN), Verdict.UNDECIDED),
        ((NO, OPEN), Verdict.UNDECIDED),
        ((OPEN,), Verdict.UNDECIDED),
    ],
)
def test_the_table_of_verdicts(found, verdict):
    asked = claim(*[(0.0, math.inf)] * len(found))
    assert asked.verdict({f"p{k}": one for k, one in enumerate(found)}) is verdict


def test_what_is_missing_or_no_number_is_open():
    asked = claim((0.0, 1.0), (0.0, 1.0))
    assert asked.outcomes({"p0": Measured(math.nan, 0.0, 1.0)}) == [Outcome.OPEN, Outcome.OPEN]
    assert asked.verdict({}) is Verdict.UNTESTED
    assert asked.verdict({"p0": Measured.exact(0.5)}) is Verdict.UNDECIDED


def test_a_preset_has_its_size():
    assert Setting("full").pick({"quick": 1, "full": 2}) == 2
