"""Steps of a trainer: the same bits for any number of threads and after a restore, the rule's own update, running values, refusals."""

import numpy as np
import pytest

import optlab as ol
from optlab import nn
from optlab.errors import InputError, UnknownNameError, UnsupportedError
from tests.nn.small import RESNET, by_hand, drawn, perceptron
from tests.oracles import RULES
from tests.oracles.network import cross_entropy, resnet
from tests.rules.generated import as_options


def after(threads, steps=3, batch=41, rule="adam"):
    trainer, images, labels = drawn(RESNET, batch=batch, threads=threads, rule=rule)
    losses = [trainer.step(images, labels, 0.01).loss for _ in range(steps)]
    trainer.close()
    return losses, trainer.state()


@pytest.mark.parametrize("threads", [2, 3])
def test_the_same_bits_for_any_number_of_threads(threads):
    (losses, state), (others, other) = after(1), after(threads)
    assert losses == others
    assert all(np.array_equal(state[key], other[key]) for key in state)


def test_a_restored_trainer_goes_on_as_if_nothing_had_happened():
    trainer, images, labels = drawn(RESNET, batch=11, rule="nadam")
    for _ in range(2):
        trainer.step(images, labels, 0.01)
    kept = {key: value.copy() for key, value in trainer.state().items()}
    losses = [trainer.step(images, labels, 0.01).loss for _ in range(2)]
    other = nn.Trainer(RESNET, "nadam", batch=11, threads=1, rng=99)
    other.restore(kept)
    assert [other.step(images, labels, 0.01).loss for _ in range(2)] == losses
    assert np.array_equal(other.parameters, trainer.parameters)
    with pytest.raises(InputError, match="of another model or rule"):
        nn.Trainer(RESNET, "sgd", batch=11, threads=1).restore(kept)


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam", "adamw", "lion", "nadam"])
def test_the_update_is_the_rule_s(name):
    """Five steps: every parameter moves as the hand-written twin of the rule says, given the gradients."""
    trainer, images, labels = drawn(perceptron(), batch=37, rule=name)
    rule, twin = ol.rules.get(name), RULES[name]
    options = as_options(rule)
    decayed = as_options(rule.with_(wd=0)) if name == "adamw" else options
    theta, picks = trainer.parameters.copy(), np.random.default_rng(0).integers(0, trainer.layout.size, 20)
    own = {k: (float(theta[k]), twin.initial(options)) for k in picks}
    for t, rate in enumerate((0.1, 0.05, 0.02, 0.1, 0.01), 1):
        trainer.step(images, labels, rate)
        for k in picks:
            x, states = own[k]
            own[k] = twin.step(x, states, float(trainer.gradient[k]), t, rate, options if k < trainer.layout.decayed else decayed)
            assert abs(trainer.parameters[k] - own[k][0]) <= 1e-12 * max(1, abs(own[k][0]))


def test_weight_decay_takes_norms_only_if_asked():
    for decay_norms, expected in ((False, 1.0), (True, 0.95)):
        trainer = nn.Trainer(perceptron(), "adamw(wd=0.5)", batch=37, threads=1, decay_norms=decay_norms)
        trainer.network.gradient[:] = 0
        trainer.network.advance(trainer._numbers(0.1))
        assert np.allclose(trainer.named()["hidden0.gamma"], expected, rtol=1e-14)


def test_running_values_and_evaluation():
    trainer, images, labels = drawn(RESNET, batch=9)
    expected = {}
    for step in range(3):
        _, _, tape = by_hand(trainer, images, labels, "batch")
        for name, result in tape.results.items():
            if name == "output":
                continue
            mean, var = result.mean((0, 1, 2)), result.var((0, 1, 2), ddof=1)
            old = expected.get(name, (np.zeros_like(mean), np.ones_like(var)))
            expected[name] = tuple(0.9 * a + 0.1 * b for a, b in zip(old, (mean, var), strict=True))
        trainer.step(images, labels, 0.05 * step)
    running = trainer.layout.named_running(trainer.running)
    for name, (mean, var) in expected.items():
        assert np.allclose(running[f"{name}.mean"], mean, rtol=1e-10, atol=1e-12)
        assert np.allclose(running[f"{name}.var"], var, rtol=1e-10)
    before = trainer.state()
    more = np.random.default_rng(5).normal(size=(25, 32, 32, 3))
    classes = np.random.default_rng(6).integers(0, 10, 25)
    found = trainer.evaluate(more, classes)  # three batches, the last one of three images
    logits, _, _ = resnet(trainer.named(), "batch", more, 2, running)
    assert abs(found.loss - cross_entropy(logits, classes)[0]) <= 1e-10
    assert (found.correct, found.images) == (int((logits.argmax(1) == classes).sum()), 25)
    assert all(np.array_equal(before[key], value) for key, value in trainer.state().items())


def test_a_large_mean_costs_no_digits_of_the_variance():
    """A shift of 1000 in every pixel of every channel: in single precision the square of the mean has no room for the variance."""
    model = nn.mlp(features=20, hidden=(20,), norm="batch")
    trainer = nn.Trainer(model, "sgd", batch=64, threads=1)
    trainer.named()["hidden0.weight"][:] = np.eye(20)
    images = np.random.default_rng(0).normal(size=(64, 20)).astype(np.float32) + np.float32(1000)
    trainer.step(images, np.zeros(64, int), 0.0)
    exact = images.astype(np.float64).var(0)
    padded = trainer.network.stages[0].shape.outputs
    assert np.allclose(trainer.network.stages[0].facts[padded : padded + 20], exact, rtol=1e-5)


def test_divergence_is_a_result():
    trainer, images, labels = drawn(perceptron(), batch=37)
    for _ in range(6):
        last = trainer.step(images, labels, 1e200)
    assert not np.isfinite(last.loss)


def test_what_does_not_fit_is_refused():
    trainer, images, labels = drawn(nn.logistic(features=7, classes=5, dtype="float64"), batch=19)
    for args, words in (
        ((images[:, :3], labels, 0.1), "takes (1 to 19, 7)"),
        ((images, labels[:3], 0.1), "give 19 whole numbers"),
        ((images, labels + 7, 0.1), "has classes 0 .. 4"),
        ((images, labels, float("nan")), "rate"),
    ):
        with pytest.raises(InputError) as caught:
            trainer.step(*args)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    for make in (
        lambda: nn.Trainer(RESNET, "sgd", batch=0),
        lambda: nn.Trainer(RESNET, "sgd", threads=9),
        lambda: nn.Trainer("resnet20", "sgd"),
        lambda: nn.resnet(21),
        lambda: nn.resnet20(norm="group"),
        lambda: nn.mlp(features=3, dtype="float16"),
    ):
        with pytest.raises(InputError):
            make()


def test_bfloat16_is_refused_on_the_cpu():
    with pytest.raises(UnsupportedError) as caught:
        nn.Trainer(nn.resnet8(), "sgd", threads=1, precision="bf16")
    assert str(caught.value).startswith("precision = 'bf16' multiplies on a CUDA device's tensor cores: give backend='cuda'")
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="bf16"):
        nn.Trainer(nn.resnet8(), "sgd", threads=1, precision="half")
