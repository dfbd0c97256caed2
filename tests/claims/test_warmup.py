"""Claim 15: its rule, and three seeds of it at a reduced size."""

import itertools

import pytest

from optlab.claims.record import Outcome
from optlab.claims.warmup import CLAIM, HARM, PEAKS, PLACES, more_fail


def test_the_difference_covers_both_intervals():
    """16 of 16 against none: each probability to within 1 - (0.00025)^(1/16) = 0.4045."""
    found = more_fail(16, 0, 16)
    assert found.value == 1
    assert found.high == 1
    assert found.low == pytest.approx(1 - 2 * (1 - 0.00025 ** (1 / 16)), rel=1e-9)
    same = more_fail(5, 5, 40)
    assert same.value == 0
    assert same.high == -same.low > 0


def test_exchanging_warmup_and_none_turns_the_outcome_round():
    part = CLAIM.parts[0]
    assert part.outcome(more_fail(32, 0, 32)) is Outcome.HOLDS
    assert part.outcome(more_fail(0, 32, 32)) is Outcome.FAILS
    assert part.outcome(more_fail(0, 0, 32)) is Outcome.FAILS  # the size of "quick" tells none from HARM
    assert part.outcome(more_fail(16, 8, 32)) is Outcome.OPEN
    assert part.expected[0] == HARM


def test_the_record_is_whole():
    assert [part.key for part in CLAIM.parts] == [f"{place}_{peak:g}" for place, peak in itertools.product(PLACES, PEAKS)]
    assert (CLAIM.number, CLAIM.name) == (15, "warmup")
