"""A learner written by hand: softmax regression or least squares under momentum or Adam, in float64 NumPy."""

import numpy as np


class Softmax:
    """theta is (d + 1) * classes numbers; Adam's moments make the state worth restoring."""

    def __init__(self, shape, classes, *, adam=True, delay=0.0, seed=0):
        self.d, self.classes, self.adam, self.delay = int(np.prod(shape)), max(classes, 1), adam, delay
        self.regression = classes == 0
        rng = np.random.default_rng(seed)
        self.parameters = 0.01 * rng.standard_normal((self.d + 1) * self.classes)
        self.gradient = np.zeros_like(self.parameters)
        self.m, self.v, self.t = np.zeros_like(self.parameters), np.zeros_like(self.parameters), 0

    def _forward(self, inputs, targets):
        x = np.c_[inputs.reshape(len(inputs), -1).astype(np.float64), np.ones(len(inputs))]
        z = x @ self.parameters.reshape(self.d + 1, self.classes)
        if self.regression:
            error = z[:, 0] - targets
            return x, error[:, None], float(np.mean(error**2) / 2), 0
        z = z - z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        rows = np.arange(len(targets))
        loss = float(np.mean(-np.log(p[rows, targets])))
        correct = int(np.sum(np.argmax(z, 1) == targets))
        p[rows, targets] -= 1
        return x, p, loss, correct

    def step(self, inputs, targets, rate):
        with np.errstate(all="ignore"):
            return self._step(inputs, targets, rate)

    def _step(self, inputs, targets, rate):
        if self.delay:
            import time

            time.sleep(self.delay)
        x, error, loss, correct = self._forward(inputs, targets)
        self.gradient = (x.T @ error / len(targets)).ravel()
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * self.gradient
        self.v = 0.999 * self.v + 0.001 * self.gradient**2
        scale = np.sqrt(self.v / (1 - 0.999**self.t) + 1e-8) if self.adam else 1
        move = self.m / (1 - 0.9**self.t) / scale if self.adam else self.gradient
        self.parameters = self.parameters - rate * move
        return loss, correct

    def evaluate(self, inputs, targets):
        return self._forward(inputs, targets)[2:]

    def state(self):
        return {"parameters": self.parameters.copy(), "m": self.m.copy(), "v": self.v.copy(), "t": np.array(self.t)}

    def restore(self, state):
        self.parameters, self.m, self.v, self.t = (state[k].copy() for k in ("parameters", "m", "v", "t"))
        self.t = int(self.t)

    def close(self):
        pass

    def weights(self):
        return {"parameters": self.parameters.copy()}
