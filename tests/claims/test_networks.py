"""Claims 7, 14 and 16 train networks for minutes; here they are asked of made-up runs of known outcome, and exact parts by hand."""

import numpy as np
import pytest
import xarray as xr

from optlab.claims import cosine_annealing
from optlab.claims.catalog import CLAIMS
from optlab.claims.record import Outcome, Setting, Verdict
from optlab.claims.run import load
from optlab.experiments.minima_line import KINDS
from optlab.experiments.step_decay import STEP_DECAY
from optlab.experiments.sweep import Runner


def schedules_run(level):
    """What runs cells: the accuracy of a run is level[schedule](epochs), and a small scatter of its own."""

    def run(cells):
        out = []
        for cell in cells:
            name = cell.spec["schedule"].partition("(")[0]
            noise = 0.002 * np.sin(7 * cell.spec["seed"] + len(name) + np.array(cell.spec["marks"]))
            values = np.array([level[name](mark) for mark in cell.spec["marks"]]) + noise
            out.append(xr.Dataset({"mark_accuracy": ("mark", values), "diverged": 0}, {"mark": cell.spec["marks"]}))
        return out

    return run


def growing(start):
    """0.1 more for each doubling, from ``start`` at 4 epochs."""
    return lambda epochs: start + 0.1 * np.log2(epochs / 4)


@pytest.mark.parametrize(
    ("start", "verdict"),
    [
        ({"cosine": 0.1, "step_decay": 0.1, "constant": 0.1}, Verdict.HOLDS),  # 0.43 after 40 epochs, 1-cycle 0.6 after 4
        ({"cosine": 0.5, "step_decay": 0.5, "constant": 0.5}, Verdict.FAILS),  # at twice as many
        ({"cosine": 0.5, "step_decay": 0.1, "constant": 0.1}, Verdict.CONDITIONS),
        ({"cosine": 0.6 - 0.1 * np.log2(10), "step_decay": 0.1, "constant": 0.1}, Verdict.UNDECIDED),  # at ten times, give or take
    ],
)
def test_one_epoch_for_ten(start, verdict):
    claim = load(16)
    found = claim.measure(Setting(), schedules_run({name: growing(value) for name, value in start.items()} | {"one_cycle": lambda e: 0.6}))
    assert claim.verdict(found.numbers) is verdict
    assert all(one.low <= one.value <= one.high for one in found.numbers.values())
    assert set(found.numbers) == {part.key for part in claim.parts}


def test_cosine_against_its_rivals_turns_round_when_they_are_exchanged(monkeypatch):
    claim = load(14)
    monkeypatch.setattr(cosine_annealing, "best_excess", lambda run: excess([1.0, 1.2, 1.1]))
    level = {"one_cycle": growing(0.5), "cosine": growing(0.5), "step_decay": growing(0.45), "constant": growing(0.4)}
    held = claim.measure(Setting(), schedules_run(level))
    assert claim.verdict(held.numbers) is Verdict.HOLDS
    assert held.numbers["constant_network"].value == pytest.approx(10, abs=0.5)
    monkeypatch.setattr(cosine_annealing, "best_excess", lambda run: excess([1.1, 1.0, 1.0]))
    turned = claim.measure(Setting(), schedules_run(level | {"cosine": growing(0.4), "constant": growing(0.5)}))
    assert claim.verdict(turned.numbers) is Verdict.FAILS
    assert set(held.numbers) == {part.key for part in claim.parts}


def excess(values):
    """The same at every budget: cosine, constant, step."""
    budgets = list(cosine_annealing.BUDGETS)
    return xr.DataArray(
        np.repeat(np.array(values)[:, None], len(budgets), 1), {"schedule": ["cosine", "constant", "step"], "steps": budgets},
        ("schedule", "steps"),
    )  # fmt: skip


def test_the_best_peaks_on_the_quadratic_by_a_plain_recursion(monkeypatch):
    """E f of SGD by the recursion of mean and variance, minimized over a fine grid of peaks."""
    monkeypatch.setattr(cosine_annealing, "BUDGETS", (60,))
    found = cosine_annealing.best_excess(Runner(None)).sel(steps=60)
    t, h = np.arange(60), np.geomspace(0.01, 1, 10)
    shapes = {"cosine": (1 + np.cos(np.pi * t / 60)) / 2, "constant": 1.0 + 0 * t, "step": np.select([t < 30, t < 45], [1.0, 0.1], 0.01)}
    peaks = np.geomspace(0.02, 1.9, 600)[:, None]
    for name, shape in shapes.items():
        mean, variance = np.ones((600, 10)), np.zeros((600, 10))
        for part in shape:
            mean, variance = (1 - peaks * part * h) * mean, (1 - peaks * part * h) ** 2 * variance + (peaks * part) ** 2 / 16
        losses = (mean**2 + variance) @ h / 2
        assert float(found.sel(schedule=name)) == pytest.approx(min(losses), rel=1e-4)
        assert float(found.sel(schedule=name)) <= min(losses) * (1 + 1e-12)
    assert STEP_DECAY.name == "step_decay"


def minima_run(spread):
    """Runs whose accuracies have a deviation of about ``spread`` points by width, and whose losses have a thousandth of their drop."""

    def run(cells):
        out = []
        for cell in cells:
            if cell.spec["kind"] == "line":
                pair = ("kind", [1.0, 0.5])
                along = (("kind", "s"), np.zeros((2, cell.spec["points"])))
                out.append(xr.Dataset({"distance": pair, "barrier": pair, "middle_accuracy": pair, "loss": along}, {"kind": list(KINDS)}))
                continue
            width, place = int(cell.spec["model"].partition("[")[2].partition(",")[0]), cell.spec["seed"] % 16
            score = np.sqrt(2) * np.sin(2 * np.pi * place / 16 + 0.1)
            values = dict.fromkeys(("validation_loss", "steps", "gradient_norm", "diverged"), 0.0)
            values |= {"start_loss": 2.5, "train_loss": 0.01 + 0.0025 * score, "validation_accuracy": 0.7 + spread[width] / 100 * score}
            out.append(xr.Dataset(values | {"parameters": ("parameter", np.zeros(3))}))
        return out

    return run


@pytest.mark.parametrize(
    ("spread", "verdict"),
    [
        ({8: 0.3, 32: 0.3, 128: 0.3}, Verdict.HOLDS),
        ({8: 3.0, 32: 0.3, 128: 0.3}, Verdict.CONDITIONS),
        ({8: 0.3, 32: 0.3, 128: 0.9}, Verdict.UNDECIDED),
    ],
)
def test_almost_equally_good(spread, verdict):
    claim = load(7)
    found = claim.measure(Setting(), minima_run(spread))
    assert claim.verdict(found.numbers) is verdict
    assert found.numbers["loss_8"].value == pytest.approx(0.0025 / 2.49, rel=0.05)
    assert found.numbers["accuracy_32"].value == pytest.approx(0.3, rel=0.05)
    assert set(found.numbers) == {part.key for part in claim.parts}
    assert "1.00 (0.50) at width 128" in found.remarks[0]


@pytest.mark.parametrize("number", [5, 7, 14, 16])
def test_records_are_whole(number):
    claim = load(number)
    assert (claim.number, claim.name) == (number, CLAIMS[number])
    assert claim.statement.endswith(".")
    assert len(claim.test) > 60
    assert Outcome.OPEN in set(claim.outcomes({}))
