"""Every bug of the catalogue is caught through the public function with its defect named, and everything correct passes.

The checks of estimators are statistical: false-alarm probability at most 1e-9 each, seeds fixed. 200 seeds are run by
``python -m tests.verify.mutations``, which writes docs/mutations.md.
"""

from pathlib import Path

import pytest

from optlab.errors import CheckFailed
from tests.verify.mutations.__main__ import SEEDS, row
from tests.verify.mutations.catalogue import CORRECT, MUTATIONS

DOCS = Path(__file__).parents[2] / "docs" / "mutations.md"


def marked(items, name):
    return [pytest.param(item, id=getattr(item, name), marks=[pytest.mark.peers] if item.peer else []) for item in items]


@pytest.mark.parametrize("mutation", marked(MUTATIONS, "bug"))
def test_a_bug_is_caught_and_named(mutation):
    with pytest.raises(CheckFailed) as caught:
        mutation.check(0)
    message = str(caught.value)
    assert mutation.named in message
    assert len(message.splitlines()) <= 5
    assert max(map(len, message.splitlines())) <= 400


@pytest.mark.parametrize("correct", marked(CORRECT, "what"))
def test_what_is_correct_passes(correct):
    for seed in range(2):
        correct.check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("correct", [c for c in CORRECT if not c.peer and c.function == "check_optimizer"], ids=lambda c: c.what)
def test_what_is_correct_passes_over_many_seeds(correct):
    for seed in range(2, 40):
        correct.check(seed)


def test_the_catalogue_is_large_and_its_names_differ():
    assert len(MUTATIONS) >= 100
    assert len({mutation.bug for mutation in MUTATIONS}) == len(MUTATIONS)
    assert {m.function for m in MUTATIONS} == {c.function for c in CORRECT}


def test_the_table_in_the_docs_is_the_catalogue():
    text = DOCS.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "| yes |" in line]
    assert rows == [row(mutation, True) for mutation in MUTATIONS]
    assert f"over {SEEDS} seeds" in text
    assert "| no |" not in text
