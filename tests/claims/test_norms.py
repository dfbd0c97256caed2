"""Claims 17 to 19 train networks: here two seeds for a few steps, so that the record and the arithmetic are tested, no verdict."""

import numpy as np
import pytest
import xarray as xr

from optlab.claims import larger_rates, regularization, small_batches
from optlab.claims.larger_rates import compared
from optlab.claims.record import Outcome, Setting
from optlab.claims.regularization import LEVEL, at_level
from optlab.ensemble.netcdf import to_netcdf
from optlab.experiments.rate_limits import Limits
from optlab.experiments.sweep import Runner
from optlab.reporting.figures.claims import larger_rates as figure_17
from optlab.reporting.figures.claims import regularization as figure_18
from optlab.reporting.figures.claims import small_batches as figure_19
from optlab.reporting.style import png_bytes, style


def findings(claim):
    return claim.measure(Setting("least", 3), Runner(None))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(larger_rates, "SETUPS", {"sgd": larger_rates.SETUPS["sgd"]})
    monkeypatch.setattr(larger_rates, "RATES", {"sgd": [0.3, 30.0]})
    monkeypatch.setattr(larger_rates, "OPTIONS", larger_rates.OPTIONS | {"steps": 20, "training": 100})
    monkeypatch.setattr(regularization, "OPTIONS", {"training": 60, "test": 20, "records": 4})
    monkeypatch.setattr(regularization, "SMALL", {"batch": 32, "steps": 8})
    monkeypatch.setattr(regularization, "WHOLE", {"batch": 60, "steps": 8})
    monkeypatch.setattr(small_batches, "BATCHES", {1: 20, 4: 20})
    monkeypatch.setattr(small_batches, "OPTIONS", {"training": 60, "test": 20, "records": 1})
    monkeypatch.setattr(small_batches, "USUAL", {"batch": 32, "steps": 20})


@pytest.mark.parametrize(
    ("module", "figure", "left_out"),
    [(larger_rates, figure_17, {"momentum", "shallow"}), (regularization, figure_18, set()), (small_batches, figure_19, set())],
)
def test_every_part_is_measured_and_drawn(module, figure, left_out):
    claim, found = module.CLAIM, findings(module.CLAIM)
    assert set(found.numbers) == {part.key for part in claim.parts} - left_out
    assert all(np.isnan(one.value) or one.low <= one.value <= one.high for one in found.numbers.values())
    assert found.remarks
    assert len(to_netcdf(found.data)) <= 15_000
    with style():
        assert len(png_bytes(figure.draw(found.data))) <= 25_000


def test_batch_normalization_says_the_same_of_everything_after_batches_of_one():
    found = findings(small_batches.CLAIM)
    assert found.numbers["fails"].value == pytest.approx(0)
    part = small_batches.CLAIM.parts[0]
    assert part.key == "fails"
    assert part.outcome(found.numbers["fails"]) is Outcome.HOLDS


def test_exchanging_the_limits_turns_claim_17_round():
    without = Limits(np.array([1.0, 1.1, 1.0, 1.2]), np.array([1.7, 1.8, 1.7, 1.9]), [])
    with_it = Limits(np.array([9.0, 9.5, 9.0, 9.1]), np.array([15.0, 16.0, 15.0, 15.5]), [])
    part = larger_rates.CLAIM.parts[0]
    assert part.outcome(compared(without, with_it)) is Outcome.HOLDS
    assert part.outcome(compared(with_it, without)) is Outcome.FAILS
    never = Limits(np.array([1.0, np.nan, 1.0, 1.0]), np.array([1.7, 0.3, 1.7, 1.7]), [])
    assert part.outcome(compared(without, never)) is Outcome.OPEN


def test_the_test_loss_at_a_level_of_the_training_loss():
    losses = [2.0, 2 * LEVEL, LEVEL / 2, LEVEL / 4]
    run = xr.Dataset({"training_loss": ("record", losses), "test_loss": ("record", [2.0, 1.5, 2.5, 3.0])})
    assert at_level(run) == pytest.approx(2.0)  # half way in the logarithm
    assert np.isnan(at_level(run.isel(record=slice(0, 2))))
