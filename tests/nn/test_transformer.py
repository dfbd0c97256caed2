"""The encoder: passes against the twin by hand and against differences, training, what is refused."""

import numpy as np
import pytest

from optlab.errors import InputError
from optlab.nn.transformer import Encoder, EncoderTrainer, Reversal
from tests.oracles.encoder import encoder as twin
from tests.oracles.philox import philox

SMALL = {"vocabulary": 4, "tokens": 4, "width": 8, "heads": 2, "hidden": 12, "blocks": 2, "dtype": "float64"}
KINDS = [("post", "layer"), ("pre", "rms"), ("pre", "none")]


def drawn(place, norm, seed=0, **options):
    """(trainer, tokens, labels): every parameter away from where it starts."""
    trainer, rng = EncoderTrainer(Encoder(**SMALL | {"norm_place": place, "norm": norm}), "sgd", batch=3, rng=seed, **options), None
    rng = np.random.default_rng(seed)
    for view in trainer.named().values():
        view += 0.3 * rng.normal(size=view.shape)
    return trainer, rng.integers(0, 4, (3, 4)), rng.integers(0, 4, (3, 4))


@pytest.mark.parametrize(("place", "norm"), KINDS)
def test_loss_and_gradient_are_the_twins(place, norm):
    trainer, tokens, labels = drawn(place, norm)
    found = trainer.gradients(tokens, labels)
    named = {name: view.copy() for name, view in trainer.named().items()}
    loss, right, gradient = twin(named, norm, place, 2, 2, tokens, labels)
    assert found.loss == pytest.approx(loss, rel=1e-13)
    assert found.correct == round(12 * right)
    assert set(gradient) == set(named)
    for name, view in trainer.layout.named(trainer.gradient).items():
        assert np.abs(view - gradient[name]).max() <= 1e-12 * np.abs(gradient[name]).max() + 1e-16, name


def test_the_gradient_is_the_slope_of_the_loss():
    """Central differences along drawn directions, which move every parameter."""
    trainer, tokens, labels = drawn("post", "layer", seed=3)
    trainer.gradients(tokens, labels)
    rng, start, gradient = np.random.default_rng(1), trainer.parameters.copy(), trainer.gradient.copy()
    for _ in range(5):
        direction, h = rng.normal(size=start.shape), 1e-5
        ends = []
        for sign in (1, -1):
            trainer.parameters[:] = start + sign * h * direction
            ends.append(trainer.evaluate(tokens, labels).loss)
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(float(gradient @ direction), rel=1e-6)


def test_single_precision_is_near_double():
    """At the start, where nothing is large: the same loss to single precision."""
    losses = []
    for dtype in ("float32", "float64"):
        trainer = EncoderTrainer(Encoder(**SMALL | {"dtype": dtype}), "adam", batch=3)
        tokens, labels = Reversal(vocabulary=4, tokens=4).batch(3, step=1, seed=0)
        losses.append([trainer.step(tokens, labels, 0.01).loss for _ in range(5)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != losses[1]


def test_steps_are_those_of_the_rule_and_take_no_decay_of_norms_and_shifts():
    trainer, tokens, labels = EncoderTrainer(Encoder(**SMALL), "adamw(wd=0.5)", batch=3), *Reversal(4, 4).batch(3, step=1, seed=0)
    before = {name: view.copy() for name, view in trainer.named().items()}
    trainer.step(tokens, labels, 0.01)
    gradient = trainer.layout.named(trainer.gradient)
    for name, view in trainer.named().items():
        wd = 0.5 if name.rpartition(".")[2] in ("weight", "embedding", "positions") else 0.0
        g = gradient[name]
        by_hand = before[name] * (1 - 0.01 * wd) - 0.01 * g / np.sqrt(g**2 + 1e-8)  # the first step: both moments are the gradient's
        assert np.allclose(view, by_hand, rtol=1e-9, atol=1e-12), name


def test_nesterov_takes_its_gradient_ahead():
    trainer, (tokens, labels) = EncoderTrainer(Encoder(**SMALL), "nesterov", batch=3), Reversal(4, 4).batch(3, step=1, seed=0)
    for _ in range(2):
        theta, v = trainer.parameters.copy(), trainer.states[0].copy()
        trainer.step(tokens, labels, 0.1)
    gradient, other = trainer.gradient.copy(), EncoderTrainer(Encoder(**SMALL), "sgd", batch=3)
    other.parameters[:] = theta + 0.9 * v
    other.gradients(tokens, labels)
    assert np.abs(gradient - other.gradient).max() <= 1e-13 * np.abs(gradient).max()


def test_it_learns_and_the_same_seed_gives_the_same_bits():
    task, runs = Reversal(4, 4), []
    for _ in range(2):
        trainer = EncoderTrainer(Encoder(**SMALL), "adam", batch=3, rng=5)
        runs.append([trainer.step(*task.batch(3, step=t, seed=5), 0.01).loss for t in range(1, 601)])
    assert runs[0] == runs[1]
    assert np.mean(runs[0][-50:]) < 0.5 * np.log(4)


def test_batches_are_words_of_the_registered_stream():
    """Token 2 of sequence 1 of batch 7 is the third word of block (1, 7, 0), purpose 9."""
    from optlab.ensemble.philox import stream_key

    task = Reversal(vocabulary=8, tokens=16)
    tokens, labels = (one.reshape(-1, 16) for one in task.batch(2, step=7, seed=3))
    word = philox((1, 7, 1, 9), tuple(map(int, stream_key(3, "sequences"))))[2]
    assert tokens[1, 6] == word * 8 >> 32
    assert (labels == tokens[:, ::-1]).all()
    assert (tokens != task.batch(2, step=8, seed=3)[0].reshape(-1, 16)).any()
    assert (task.batch(1, step=7, seed=3)[0] == tokens[0]).all()  # a smaller batch is the start of a larger one


def test_counts():
    model = Encoder(width=32, heads=4, hidden=128, blocks=3)
    trainer = Encoder(**SMALL)
    assert EncoderTrainer(trainer, "sgd", batch=3).layout.size >= trainer.parameter_count
    block = 4 * 32 * 32 + 4 * 32 + 2 * 32 * 128 + 128 + 32 + 4 * 32
    assert model.parameter_count == (8 + 16) * 32 + 3 * block + 32 * 8 + 8
    assert model.multiply_adds == 16 * (3 * (4 * 32 * 32 + 2 * 32 * 128) + 32 * 8) + 3 * 2 * 16 * 16 * 32


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"width": 10}, "width = 10"), ({"heads": 3}, "heads = 3"), ({"tokens": 12}, "tokens = 12"), ({"norm": "batch"}, "norm = 'batch'"),
        ({"norm_place": "mid"}, "norm_place"), ({"blocks": 0}, "blocks = 0"), ({"dtype": "float16"}, "dtype"),
    ],
)  # fmt: skip
def test_sizes_that_do_not_go_together_are_said(keys, said):
    with pytest.raises(InputError, match=said):
        Encoder(**keys)


def test_arrays_that_do_not_fit_are_said():
    trainer = EncoderTrainer(Encoder(**SMALL), "sgd", batch=3)
    with pytest.raises(InputError, match="do not fit 3 sequences"):
        trainer.step(np.zeros(4, int), np.zeros(12, int), 0.1)
    with pytest.raises(InputError, match=r"vocabulary is 0 \.\. 3"):
        trainer.step(np.full(12, 4), np.zeros(12, int), 0.1)
    with pytest.raises(InputError, match="rate"):
        trainer.step(np.zeros(12, int), np.zeros(12, int), -1.0)
    with pytest.raises(InputError, match="batch"):
        EncoderTrainer(Encoder(**SMALL), "sgd", batch=0)
