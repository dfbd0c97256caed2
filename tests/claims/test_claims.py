"""Every claim: its verdict, its independence of the seed, and what exchanging data does to it."""

import os

import numpy as np
import pytest

from optlab.claims.catalog import CLAIMS
from optlab.claims.line_fit_cells import fitted
from optlab.claims.line_fit_winner import judged
from optlab.claims.record import Outcome, Setting, Verdict
from optlab.claims.run import load, numbers_text, run_claims
from optlab.claims.tables import drawn_table, row_gradients
from optlab.claims.unbiased import epoch_bias
from optlab.errors import InputError, UnknownNameError
from optlab.experiments.sweep import Runner

#: Run here. 22 reads what optlab grid wrote; the others train networks for minutes and are tested on made-up runs (test_networks.py,
#: test_norms.py, test_warmup.py).
RUN = sorted(CLAIMS.keys() - {7, 14, 15, 16, 17, 18, 19, 22})


#: Of these a seed takes 10 or 15 s of processor time, of all the others together 8: they count as slow.
LONG = {3, 4, 10}
ALL = [pytest.param(number, marks=pytest.mark.slow) if number in LONG else number for number in RUN]


class Answers(dict):
    """Answers by claim and seed, each found when it is first asked for; all processes of a test run share the store of their cells."""

    def __init__(self, store):
        super().__init__()
        self.store = store

    def __missing__(self, key):
        number, seed = key
        (self[key],) = run_claims([number], rng=seed, store=self.store)
        return self[key]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    return Answers((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "claims")


@pytest.mark.parametrize("number", ALL)
def test_three_seeds_give_one_verdict(number, answers):
    found = {answers[number, seed].verdict for seed in (0, 1, 2)}
    assert len(found) == 1
    assert found != {Verdict.UNDECIDED}


@pytest.mark.parametrize("number", ALL)
def test_every_part_is_measured_and_the_record_is_whole(number, answers):
    claim, findings = answers[number, 0].claim, answers[number, 0].findings
    assert claim.number == number
    assert claim.name == CLAIMS[number]
    assert set(findings.numbers) == {part.key for part in claim.parts}
    assert all(one.low <= one.value <= one.high for one in findings.numbers.values())
    assert claim.statement.endswith(".")
    assert len(claim.test) > 60


def test_a_batch_is_unbiased_unless_the_epoch_so_far_is_known(answers):
    assert answers[1, 0].outcomes == [Outcome.HOLDS, Outcome.HOLDS, Outcome.FAILS]
    assert 0.9 < answers[1, 0].findings.numbers["epoch"].value < 1.1


def test_the_bias_within_an_epoch_is_the_whole_deviation():
    """What is left for the last batch is that batch: its deviation from the gradient is the bias given the past, so the ratio is 1."""
    gradients = row_gradients(*drawn_table(3))
    found = epoch_bias(gradients, 64, 0)
    assert found.low <= 1 <= found.high
    assert found.high - found.low < 0.1


def test_subsets_have_the_finite_population_factor(answers):
    data = answers[2, 0].findings.data
    low, high = (data.ratio.sel(sampling="subset", end=end).values for end in ("low", "high"))
    assert np.all((low <= data.subset_law.values) & (data.subset_law.values <= high))


def test_exchanging_sgd_and_adam_turns_every_part_of_the_comparison_round():
    """Claim 21 compares two optimizers: with their ensembles exchanged, what held fails and what failed holds."""
    setting, claim = Setting(), load(21)
    found = fitted(setting, Runner(None))
    exchanged = {({"sgd": "adam", "adam": "sgd"}[rule], *rest): run for (rule, *rest), run in found.items()}
    straight, turned = (claim.outcomes(judged(runs, setting).numbers) for runs in (found, exchanged))
    assert Outcome.OPEN not in straight
    assert all({a, b} == {Outcome.HOLDS, Outcome.FAILS} for a, b in zip(straight, turned, strict=True))


def test_the_mean_of_sgd_in_the_example_is_the_closed_form(answers):
    """Half the squared error, x ~ U(-1, 1): E w_t = 2 (1 - (1 - alpha/3)^t), E b_t = 1 - (1 - alpha)^t."""
    found = answers[20, 0].findings.numbers
    for key, value in (("sgd_w_half", 2 * (1 - (1 - 0.1 / 3) ** 100)), ("sgd_b_half", 1 - 0.9**100)):
        assert found[key].low <= value <= found[key].high


def test_the_first_moment_and_step_without_correction(answers):
    found = answers[11, 0].findings.numbers
    assert found["moment"].value == pytest.approx(0.1)
    assert found["step"].value == pytest.approx(0.1 / 0.001**0.5, rel=1e-5)


def test_what_is_no_claim_is_said():
    assert numbers_text([2, 1, 5]) == "1-2, 5"
    with pytest.raises(InputError, match="there is no claim 99"):
        run_claims([99])
    with pytest.raises(UnknownNameError, match="preset"):
        run_claims([11], preset="huge")
    with pytest.raises(InputError, match="at least one"):
        run_claims([])
