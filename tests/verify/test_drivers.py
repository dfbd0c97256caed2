"""Every driver takes the same steps as the hand-written twin of Adam, and the framework is told from what makes the optimizer."""

import builtins

import numpy as np
import pytest

from optlab.errors import InputError, MissingDependencyError, UnknownNameError
from optlab.verify import drivers
from tests.oracles import adam as twin

STEPS = 40
GRADIENTS = np.random.default_rng(5).normal(size=(STEPS, 3))
RATES = np.linspace(0.01, 0.1, STEPS)
START = np.array([1.0, -2.0, 0.5])


def by_hand():
    """theta of the twin, shape (steps + 1, 3)."""
    columns = []
    for start, column in zip(START, GRADIENTS.T, strict=True):
        x, states, out = float(start), twin.initial({}), [float(start)]
        for t, (gradient, rate) in enumerate(zip(column, RATES, strict=True), 1):
            x, states = twin.step(x, states, float(gradient), t, float(rate), {"eps_placement": "outside"})
            out.append(x)
        columns.append(out)
    return np.array(columns).T


class PlainAdam:
    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        self.params, self.lr, self.betas, self.eps, self.t = params, lr, betas, eps, 0
        self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for p, g, m, v in zip(self.params, gradients, self.m, self.v, strict=True):
            m[:] = b1 * m + (1 - b1) * g
            v[:] = b2 * v + (1 - b2) * g * g
            p -= self.lr * (m / (1 - b1**self.t)) / (np.sqrt(v / (1 - b2**self.t)) + self.eps)


def adam_function(theta, gradient, state, lr):
    m, v, t = state or (0.0, 0.0, 0)
    m, v, t = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2, t + 1
    return theta - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), (m, v, t)


def of_torch():
    import torch

    return torch.optim.Adam


def of_optax():
    import optax

    return optax.adam


def of_keras():
    from optlab.verify.drivers.keras import import_keras

    return import_keras().optimizers.Adam


MAKERS = [
    pytest.param("plain", lambda: PlainAdam, id="plain"),
    pytest.param("function", lambda: adam_function, id="function"),
    pytest.param("torch", of_torch, id="torch", marks=pytest.mark.peers),
    pytest.param("optax", of_optax, id="optax", marks=pytest.mark.peers),
    pytest.param("keras", of_keras, id="keras", marks=pytest.mark.peers),
]


@pytest.mark.parametrize(("framework", "get"), MAKERS)
@pytest.mark.parametrize("sizes", [[3], [2, 1]])
def test_a_driver_takes_the_steps_of_the_twin(framework, get, sizes):
    make, limit = get(), 1e-6 if framework == "keras" else 1e-13  # keras has Kingma & Ba's eps-hat, which is another Adam
    assert drivers.framework_of(make) == framework
    found = drivers.run(make, GRADIENTS, RATES, start=START, sizes=sizes)
    assert found.shape == (STEPS + 1, 3)
    np.testing.assert_allclose(found, by_hand(), rtol=0, atol=limit)


@pytest.mark.parametrize(("framework", "get"), MAKERS)
def test_single_precision_stays_single(framework, get):
    make = get()
    driver = drivers.driver_of(make, start=START, rate=0.1, dtype="float32")
    for gradient, rate in zip(GRADIENTS, RATES, strict=True):
        driver.step(driver.split(gradient), float(rate))
    assert driver.theta.dtype == np.float32
    np.testing.assert_allclose(driver.theta, by_hand()[-1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("framework", "get"), MAKERS)
def test_a_saved_optimizer_goes_on_bit_by_bit(framework, get):
    one = drivers.driver_of(get(), start=START, rate=0.1, sizes=[2, 1])
    for gradient in GRADIENTS[:10]:
        one.step(one.split(gradient), 0.1)
    other = one.reopened()
    for gradient in GRADIENTS[10:20]:
        one.step(one.split(gradient), 0.05)
        other.step(other.split(gradient), 0.05)
    assert np.array_equal(one.theta, other.theta)
    assert not np.array_equal(one.theta, START)


@pytest.mark.peers
def test_hyperparameters_in_optaxs_state_are_written_there():
    import optax

    found = drivers.run(lambda lr: optax.inject_hyperparams(optax.sgd)(learning_rate=lr), [1.0, 1.0, 1.0], [0.5, 0.25, 0.125], start=0.0)
    np.testing.assert_allclose(found[:, 0], [0, -0.5, -0.75, -0.875], atol=1e-15)


@pytest.mark.peers
def test_a_ready_transformation_keeps_its_learning_rate():
    import optax

    assert drivers.run(optax.sgd(0.5), [1.0, 1.0], 0.5)[-1, 0] == 0
    with pytest.raises(InputError, match="keeps its learning rate: give a factory"):
        drivers.run(optax.sgd(0.5), [1.0, 1.0], [0.5, 0.25])


@pytest.mark.peers
def test_a_ready_torch_optimizer_is_refused():
    import torch

    with pytest.raises(InputError, match="holds its parameters already: give what makes it"):
        drivers.run(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1), [1.0], 0.1)


def test_new_arrays_may_be_returned():
    class Returned:
        def __init__(self, params, lr):
            self.params, self.learning_rate = params, lr

        def step(self, gradients):
            self.params = [p - self.learning_rate * g for p, g in zip(self.params, gradients, strict=True)]
            return self.params

    np.testing.assert_array_equal(drivers.run(Returned, [1.0, 2.0], [0.5, 0.25])[:, 0], [1, 0.5, 0])


def test_what_cannot_be_driven_is_said_in_one_line(monkeypatch):
    for make, words in [(3, "makes no optimizer"), (lambda params, lr: 3, "cannot tell what this makes"), (lambda: 3, "cannot tell what")]:
        with pytest.raises(InputError, match=words) as caught:
            drivers.run(make, [1.0], 0.1)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="did you mean 'torch'"):
        drivers.run(PlainAdam, [1.0], 0.1, framework="torhc")
    with pytest.raises(InputError, match="do not add up"):
        drivers.run(PlainAdam, [1.0], 0.1, sizes=[2])
    with pytest.raises(InputError, match=r"gradients of shape \(1, 1, 1\)"):
        drivers.run(PlainAdam, [[[1.0]]], 0.1)
    with pytest.raises(InputError, match="returns a ndarray: it must return"):
        drivers.run(lambda theta, gradient, state, lr: theta, [1.0], 0.1)
    real = builtins.__import__
    monkeypatch.setattr("importlib.import_module", lambda name: real("no_such_package_at_all"))
    with pytest.raises(MissingDependencyError, match="a torch optimizer needs no_such_package_at_all, which is not installed: pip install"):
        drivers.needed("torch", "a torch optimizer")
