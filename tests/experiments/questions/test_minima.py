"""Minima: matching against brute force, losses against a forward pass by hand, the line, what is kept, what is printed."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

import optlab as ol
from optlab import data, nn
from optlab.data.batches import ImageBatches
from optlab.experiments.hidden_units import distance, matched, permuted
from optlab.experiments.image_runs import Asked, descended, seeds_of
from optlab.experiments.minima_line import barrier
from optlab.experiments.questions import minima
from optlab.experiments.runs import load, runs
from optlab.experiments.store import Store
from optlab.nn.parameters import Layout
from optlab.reporting.figures.questions.minima import draw

KEYS = {
    "data": "synthetic(training=260, test=10, size=8)", "training": 200, "validation": 60, "widths": [8], "layers": 1, "seeds": 4,
    "epochs": 6, "goal": 1.9, "batch": 20, "points": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def found(kept):
    return ol.experiments.minima(KEYS, store=kept)


def random_network(model, seed):
    """Flat parameters, nothing left at zero."""
    layout = Layout(model)
    flat = np.zeros(layout.size, np.float32)
    for values in layout.named(flat).values():
        values[:] = np.random.default_rng(seed).normal(size=values.shape)
    return flat


def forward(model, flat, inputs):
    """The logits, by hand."""
    named, out = Layout(model).named(np.asarray(flat, np.float64)), inputs
    for layer in model.layers:
        out = out @ named[f"{layer.name}.weight"] + named[f"{layer.name}.beta"]
        out = out if layer.name == "output" else np.maximum(out, 0)
    return out


def by_hand(model, flat, batches, part):
    """Mean cross-entropy and fraction right."""
    inputs, labels = (
        np.concatenate(each) for each in zip(*((x.reshape(len(x), -1).copy(), y) for x, y in batches.plain(part)), strict=True)
    )
    logits = forward(model, flat, inputs.astype(np.float64))
    top = logits.max(1)
    losses = np.log(np.exp(logits - top[:, None]).sum(1)) + top - logits[np.arange(len(labels)), labels]
    return losses.mean(), (logits.argmax(1) == labels).mean()


def test_a_permutation_is_found_again_and_changes_nothing():
    model = nn.mlp(features=5, hidden=(7, 6, 4), classes=3)
    one = random_network(model, 0)
    rng = np.random.default_rng(1)
    other = permuted(model, one, [rng.permutation(n) for n in (7, 6, 4)])
    assert distance(one, other) > 0.5
    inputs = rng.normal(size=(20, 5))
    np.testing.assert_allclose(forward(model, other, inputs), forward(model, one, inputs), rtol=1e-12)
    assert np.array_equal(matched(model, one, other), one)


def test_one_hidden_layer_is_matched_best():
    """Against all 120 orders of five units."""
    model = nn.mlp(features=3, hidden=(5,), classes=2)
    one, other = random_network(model, 2), random_network(model, 3)
    found = matched(model, one, other)
    least = min(distance(one, permuted(model, other, [np.array(order)])) for order in permutations(range(5)))
    assert distance(one, found) == pytest.approx(least, rel=1e-6)
    inputs = np.random.default_rng(4).normal(size=(20, 3))
    np.testing.assert_allclose(forward(model, found, inputs), forward(model, other, inputs), rtol=1e-12)


def test_matching_never_takes_apart():
    model = nn.mlp(features=4, hidden=(6, 6), classes=3)
    for seed in range(5):
        one, other = random_network(model, 2 * seed), random_network(model, 2 * seed + 1)
        assert distance(one, matched(model, one, other)) <= distance(one, other) * (1 + 1e-6)


def test_losses_are_those_of_the_weights_that_are_kept(found, kept):
    """Every cell has its weights; the loss, the accuracy and the middle of the line follow from them by hand."""
    images, store = data.get(KEYS["data"]), Store(kept)
    used, aside = images.split(60, seed=0, training=200)
    batches, model = ImageBatches(used, batch=20, seed=0, augment=False), nn.mlp(features=192, hidden=(8,), classes=10)
    cells = {run.spec["seed"]: load(store, run) for run in runs(store, kind="images")}
    assert sorted(cells) == found.seed.values.tolist() == [0, 1, 2, 3]
    for seed, cell in cells.items():
        row = found.sel(width=8, seed=seed)
        loss, _ = by_hand(model, cell.parameters.values, batches, used)
        assert float(row.train_loss) == pytest.approx(loss, rel=1e-5)
        assert (float(row.validation_loss), float(row.validation_accuracy)) == pytest.approx(
            by_hand(model, cell.parameters.values, batches, aside), rel=1e-5
        )
    a, b = (cells[seed].parameters.values for seed in (2, 3))
    line = found.sel(width=8, kind="as found").isel(pair=1)
    assert float(line.line_loss.sel(s=0.5)) == pytest.approx(by_hand(model, (a + b) / 2, batches, used)[0], rel=1e-5)
    assert float(line.middle_accuracy) == pytest.approx(by_hand(model, (a + b) / 2, batches, aside)[1])
    assert float(line.distance) == pytest.approx(distance(a, b))
    assert float(line.barrier) == pytest.approx(barrier(line.s.values, line.line_loss.values))
    same = found.sel(width=8, kind="matched").isel(pair=1)
    assert float(same.line_loss[-1]) == pytest.approx(float(line.line_loss[-1]), rel=1e-5)  # the same function
    assert float(same.distance) < float(line.distance)


def test_a_run_ends_at_the_goal(found):
    """At the first epoch after which the training loss is at most 1.9, or after six."""
    early = found.train_loss.values <= 1.9
    assert early.any()
    assert ((found.steps.values == 60) | early).all()
    assert (found.steps.values % 10 == 0).all()
    assert (found.start_loss.values > found.train_loss.values).all()
    assert (found.gradient_norm > 0).all()


def test_seeds_differ_in_weights_and_order_only(found):
    images = data.get(KEYS["data"])
    asked = minima.asked_of(minima.EXPERIMENT.read(KEYS), 8, 3)
    again = descended(images, asked)
    assert float(again.train_loss) == float(found.train_loss.sel(width=8, seed=3))
    assert seeds_of(2, range(2)) == [2000, 2001]


def test_what_is_there_is_read_and_gives_the_same(found, kept):
    lost = next(run.path for run in runs(Store(kept), kind="line"))
    lost.unlink()
    again = ol.experiments.minima(KEYS, store=kept)
    assert (again.attrs["cells_computed"], again.attrs["cells_read"]) == (1, 5)
    assert again.drop_attrs().identical(found.drop_attrs())


def test_divergence_is_a_result():
    images = data.get(KEYS["data"])
    asked = Asked("mlp(hidden=[8])", "momentum", "constant", 1e9, 4, 0, 0, 200, 60, 20, marks=(1, 4), goal=0.1, keep=True)
    run = descended(images, asked)
    assert int(run.diverged) == 1
    assert int(run.steps) < 40
    assert np.isnan(run.train_loss)
    assert np.isnan(run.mark_accuracy).all()


def test_the_interval_of_a_deviation_is_chi_square_s():
    """From scaled chi-square numbers: it misses in 1 % of samples, here of 4000; false alarm 1e-9 (binomial tail)."""
    draws = np.random.default_rng(5).normal(0, 2.0, (4000, 10))
    missed = sum(not low <= 2 <= high for low, _, high in map(minima.spread, draws))
    assert stats.binom.ppf(5e-10, 4000, 0.01) <= missed <= stats.binom.isf(5e-10, 4000, 0.01)


def test_findings_follow_the_numbers(found):
    said = minima.findings(found)
    assert said[0].startswith("Width 8: over 4 seeds the final accuracy has a standard deviation of")
    changed = found.copy(deep=True)
    for kind, (low, mid, high) in {"as found": (2.0, 2.1, 2.2), "matched": (0.5, 0.6, 0.7)}.items():
        for name, value in zip(("barrier_low", "barrier_mean", "barrier_high"), (low, mid, high), strict=True):
            changed[name].loc[8, kind] = value
    changed["train_loss"][:] = 3.0
    said = minima.findings(changed)
    assert "Width 8: the barrier on the straight line falls from 2.1 to 0.6 once hidden units are matched." in said
    assert said[-1].startswith("No seed reached a training loss of 1.9 at width 8")
    changed["barrier_high"].loc[8, "matched"] = 2.05
    assert any("the intervals overlap" in line for line in minima.findings(changed))


def test_tables_and_figure(found):
    ends, lines = minima.tables(found)
    assert (len(ends.rows), len(lines.rows)) == (1, 2)
    figure = draw(found)
    assert len(figure.axes) == 4
    assert {text.get_text() for text in figure.axes[2].get_legend().get_texts()} == {
        "width 8", "hidden units as found", "hidden units matched",
    }  # fmt: skip
