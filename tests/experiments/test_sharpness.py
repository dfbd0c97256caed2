"""Sharpness against exact Hessians; the limits of stability against the dynamics themselves."""

import numpy as np
import pytest

import optlab as ol
from optlab import nn, rules
from optlab.data.textures import synthetic
from optlab.experiments.sharpness import Landscape, edge_cell, gain, largest_eigenvalue, stability_sharpness
from tests.oracles import network as twin


def test_the_hessian_of_a_linear_model():
    """Half the squared error has the Gram matrix of (x, 1) as its Hessian."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)) * [1, 2, 3, 0.1, 1], rng.normal(size=30)
    landscape = Landscape(nn.linear(features=5, dtype="float64"), x, y)
    size, wide = landscape.trainer.parameters.size, np.hstack([x, np.ones((30, 1))])
    places = [slice(landscape.trainer.layout.weights[0], landscape.trainer.layout.weights[0] + 5), landscape.trainer.layout.norms[0]]
    hessian, where = wide.T @ wide / 30, np.r_[np.arange(size)[places[0]], places[1]]
    found, error, *_ = landscape.sharpness(rng.normal(size=size), np.ones(size), rng.normal(size=size))
    assert found == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-6)
    assert error < 1e-5
    root = np.ones(size)
    root[where] = [0.1, 3.0, 0.2, 5.0, 1.0, 2.0]
    scaled, *_ = landscape.sharpness(rng.normal(size=size), root, rng.normal(size=size))
    assert scaled == pytest.approx(np.linalg.eigvalsh(root[where, None] * hessian * root[where])[-1], rel=1e-6)
    landscape.close()


def test_the_hessian_of_a_perceptron():
    """Column by column from the gradients of the network by hand."""
    rng = np.random.default_rng(1)
    model = nn.mlp(features=3, hidden=(4,), classes=3, dtype="float64")
    x, y = rng.normal(size=(12, 3)), rng.integers(0, 3, 12)
    landscape = Landscape(model, x, y)
    layout = landscape.trainer.layout
    point = landscape.trainer.parameters.copy()
    names = [(name, view.shape) for name, view in layout.named(point).items()]

    def gradient(flat):
        logits, back, _ = twin.perceptron(dict(layout.named(flat)), "none", x, 1)
        found, out = back(twin.cross_entropy(logits, y)[1]), np.zeros_like(flat)
        for name, _ in names:
            layout.named(out)[name][:] = found[name]
        return out

    h = 1e-6
    hessian = np.stack([(gradient(point + h * e) - gradient(point - h * e)) / (2 * h) for e in np.eye(len(point))])
    found, *_ = landscape.sharpness(point, np.ones(len(point)), rng.normal(size=len(point)))
    assert found == pytest.approx(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1], rel=1e-4)
    landscape.close()


def test_lanczos_of_a_drawn_matrix():
    rng = np.random.default_rng(2)
    a = rng.normal(size=(40, 40))
    a += a.T
    value, vector, _ = largest_eigenvalue(lambda v: a @ v, rng.normal(size=40))
    assert value == pytest.approx(np.linalg.eigvalsh(a)[-1], rel=1e-3)
    assert np.linalg.norm(vector) == pytest.approx(1)


def grows(step, curvature):
    """Whether a linear rule by hand leaves the minimum of a parabola."""
    theta, v = 1.0, 0.0
    for _ in range(4000):
        theta, v = step(theta, v, curvature)
        if abs(theta) > 1e6:
            return True
    return False


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("sgd", lambda theta, v, h: (theta - 0.1 * h * theta, 0.0)),
        ("momentum", lambda theta, v, h: (theta + 0.9 * v - 0.1 * h * theta, 0.9 * v - 0.1 * h * theta)),
        ("nesterov", lambda theta, v, h: (theta + 0.9 * v - 0.1 * h * (theta + 0.9 * v), 0.9 * v - 0.1 * h * (theta + 0.9 * v))),
    ],
)
def test_the_limit_is_where_the_rule_leaves(name, step):
    limit = stability_sharpness(rules.get(name), 0.1)
    assert not grows(step, 0.99 * limit)
    assert grows(step, 1.01 * limit)


def test_adaptive_limits_and_gains():
    assert stability_sharpness(rules.get("adam"), 0.01) == pytest.approx(38 / 0.01)
    assert stability_sharpness(rules.get("adam(beta1=0.5)"), 0.01) == pytest.approx(6 / 0.01)
    assert stability_sharpness(rules.get("rmsprop"), 0.01) == pytest.approx(2 / 0.01)
    m, v = np.array([1.0, -1.0]), np.array([0.04, 9.0])
    np.testing.assert_allclose(gain(rules.get("adam"))(np.stack([m, v]), 7), 1 / np.sqrt(v / (1 - 0.999**7) + 1e-8))
    np.testing.assert_allclose(gain(rules.get("rmsprop"))(v[None], 7), 1 / np.sqrt(v + 1e-8))
    assert gain(rules.get("momentum")) is None
    with pytest.raises(ol.errors.OptlabError):
        ol.experiments.edge(rates={"sdg": [0.1]})


def test_a_run_is_gradient_descent_by_hand():
    run = edge_cell("sgd", 0.2, "squared_error", hidden=[6], samples=20, size=4, steps=6, every=2, seed=3, shrink=0.5).compute()
    images = synthetic(20, 10, size=4, seed=3).training
    x = images.pixels / 255
    x = ((x - x.mean((0, 1, 2))) / x.std((0, 1, 2))).reshape(20, -1)
    trainer = nn.Trainer(nn.mlp(features=48, hidden=(6,), dtype="float64"), "sgd", batch=20, threads=1, rng=3)
    named, target, losses = {name: 0.5 * view for name, view in trainer.named().items()}, np.eye(10)[images.labels], []
    for _ in range(6):
        outputs, back, _ = twin.perceptron(named, "none", x, 1)
        loss, slope = twin.squared_error(outputs, target)
        losses.append(loss)
        found = back(slope)
        named = {name: value - 0.2 * found[name] for name, value in named.items()}
    np.testing.assert_allclose(run.loss.values, losses[1::2], rtol=1e-9)
    assert run.record.values.tolist() == [2, 4, 6]
    assert (run.sharpness > 0).all()
