"""One training run of the normalization cells against a network by hand; what diverges, what is recorded."""

import numpy as np
import pytest

from optlab import nn
from optlab.data.batches import ImageBatches
from optlab.data.textures import synthetic
from optlab.experiments.norm_training import cell
from tests.oracles import network as twin

SMALL = {"batch": 8, "steps": 4, "training": 20, "test": 10, "size": 4, "seed": 5}


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_losses_by_hand(norm):
    run = cell("mlp(hidden=[6])", norm, 0.1, records=4, gram=True, shifts=((1.0, 0.0), (2.0, 1.0)), **SMALL).compute()
    feed = ImageBatches(synthetic(20, 10, size=4, seed=5).training, batch=8, seed=5, augment=False)
    trainer = nn.Trainer(nn.mlp(features=48, hidden=(6,), norm=norm), "sgd", batch=8, threads=1, rng=5)
    named, losses = {name: view.astype(np.float64) for name, view in trainer.named().items()}, []
    for epoch in (1, 2):
        for images, labels in feed.epoch(epoch):
            logits, back, _ = twin.perceptron(named, norm, images.reshape(8, -1).astype(np.float64), 1)
            loss, slope = twin.cross_entropy(logits, labels)
            losses.append(loss)
            found = back(slope)
            named = {name: value - 0.1 * found[name] for name, value in named.items()}
    np.testing.assert_allclose(run.step_loss.values[1:], losses, rtol=1e-4)
    assert run.record.values.tolist() == [0, 1, 2, 3, 4]
    assert run.shifted_accuracy[0] == run.test_accuracy[-1]  # factor 1, offset 0
    assert run.condition.shape == (2, 1)
    if norm == "layer":  # its rows are its own: both modes are one
        images, labels = next(feed.plain(synthetic(20, 10, size=4, seed=5).test))
        logits, *_ = twin.perceptron(named, norm, images.reshape(8, -1).astype(np.float64), 1)
        assert float(run.own_accuracy) == np.mean(logits.argmax(1) == labels)


def test_divergence_is_a_result():
    run = cell("mlp(hidden=[6])", "none", 1e6, **SMALL).compute()
    assert int(run.diverged_at) >= 0
    assert np.isnan(run.step_loss[-1])
    assert np.isnan(run.own_accuracy)


def test_a_batch_of_one_teaches_batch_normalization_nothing():
    """Every unit is its own mean: what is normalized is 0, and only the shifts are left."""
    run = cell("mlp(hidden=[6])", "batch", 0.1, **(SMALL | {"batch": 1})).compute()
    assert float(run.own_accuracy) == pytest.approx(0.1)
    assert np.isnan(run.test_loss[-1])  # the unbiased variance of one number is 0/0
