"""A few examples of every reader; ``HYPOTHESIS_PROFILE=ci`` draws more."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optlab.errors import OptlabError
from tests.fuzz.targets import TARGETS, mutated, one_line, watched


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_read_it_is_a_result_or_one_line(name):
    strategy, read = TARGETS[name]

    @settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(case=strategy)
    def reads(case):
        try:
            read(case)
        except OptlabError as error:
            one_line(error)

    reads()


def test_the_watch_sees_a_program_that_is_started(tmp_path):
    """The formula reader is watched by Python's audit events: here is one that does run code."""
    with pytest.raises(AssertionError, match="mkdir"), watched():
        os.mkdir(tmp_path / "made")


def test_the_mutations_change_something():
    changed = []

    @settings(max_examples=20, database=None, derandomize=True)
    @given(content=mutated(b"twelve bytes"))
    def draw(content):
        changed.append(content != b"twelve bytes")

    draw()
    assert sum(changed) > 10
    assert isinstance(mutated(b""), st.SearchStrategy)
