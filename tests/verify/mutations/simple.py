"""SGD, momentum, RMSProp, Adagrad and Lion written by hand in NumPy, right and wrong."""

import numpy as np

from tests.verify.mutations.adams import Optimizer


class SGD(Optimizer):
    def one(self, theta, g, s):
        theta -= self.lr * g


class FirstStepDoesNothing(SGD):
    """The loop applies the gradient that was computed before."""

    def one(self, theta, g, s):
        if "g" in s:
            theta -= self.lr * g
        s["g"] = g


class LateGradient(SGD):
    def one(self, theta, g, s):
        theta -= self.lr * s.get("g", 0 * g)
        s["g"] = g.copy()


class NeverZeroed(SGD):
    def one(self, theta, g, s):
        s["g"] = s.get("g", 0 * g) + g
        theta -= self.lr * s["g"]


class TwoStepsInOne(SGD):
    def one(self, theta, g, s):
        theta -= self.lr * g
        theta -= self.lr * g


class RateSquared(SGD):
    def one(self, theta, g, s):
        theta -= self.lr * (self.lr * g)


class HalfGradient(SGD):
    def one(self, theta, g, s):
        theta -= self.lr * g / 2


class LateRate(SGD):
    def one(self, theta, g, s):
        theta -= s.get("lr", self.lr) * g
        s["lr"] = self.lr


class Momentum(Optimizer):
    defaults = {"beta": 0.9}

    def one(self, theta, g, s, beta):
        v = s["v"] = beta * s.get("v", 0 * g) + g
        theta -= self.lr * v


class RateInside(Momentum):
    def one(self, theta, g, s, beta):
        v = s["v"] = beta * s.get("v", 0 * g) - self.lr * g
        theta += v


class Dampened(Momentum):
    def one(self, theta, g, s, beta):
        v = s["v"] = beta * s.get("v", 0 * g) + (1 - beta) * g
        theta -= self.lr * v


class BufferIsTheGradient(Momentum):
    """The first buffer is the gradient's own memory."""

    def one(self, theta, g, s, beta):
        if "v" not in s:
            s["v"] = g
        else:
            s["v"] = beta * s["v"] + g
        theta -= self.lr * s["v"]


class OldVelocity(Momentum):
    def one(self, theta, g, s, beta):
        v = s.get("v", 0 * g)
        s["v"] = beta * v + g
        theta -= self.lr * v


class RMSProp(Optimizer):
    defaults = {"beta": 0.99, "eps": 1e-8}

    def one(self, theta, g, s, beta, eps):
        v = s["v"] = beta * s.get("v", 0 * g) + (1 - beta) * g * g
        theta -= self.lr * g / (np.sqrt(v) + eps)


class RMSPropInside(RMSProp):
    def one(self, theta, g, s, beta, eps):
        v = s["v"] = beta * s.get("v", 0 * g) + (1 - beta) * g * g
        theta -= self.lr * g / np.sqrt(v + eps)


class StartsAtOne(RMSProp):
    def one(self, theta, g, s, beta, eps):
        v = s["v"] = beta * s.get("v", 0 * g + 1) + (1 - beta) * g * g
        theta -= self.lr * g / (np.sqrt(v) + eps)


class CorrectedRMSProp(RMSProp):
    def one(self, theta, g, s, beta, eps):
        t = s["t"] = s.get("t", 0) + 1
        v = s["v"] = beta * s.get("v", 0 * g) + (1 - beta) * g * g
        theta -= self.lr * g / (np.sqrt(v / (1 - beta**t)) + eps)


class Adagrad(Optimizer):
    defaults = {"eps": 1e-10}

    def one(self, theta, g, s, eps):
        v = s["v"] = s.get("v", 0 * g) + g * g
        theta -= self.lr * g / (np.sqrt(v) + eps)


class StartsAtATenth(Adagrad):
    def one(self, theta, g, s, eps):
        v = s["v"] = s.get("v", 0 * g + 0.1) + g * g
        theta -= self.lr * g / (np.sqrt(v) + eps)


class AdagradForgets(Adagrad):
    def one(self, theta, g, s, eps):
        v = s["v"] = 0.9 * s.get("v", 0 * g) + 0.1 * g * g
        theta -= self.lr * g / (np.sqrt(v) + eps)


class Lion(Optimizer):
    defaults = {"beta1": 0.9, "beta2": 0.99}

    def one(self, theta, g, s, beta1, beta2):
        m = s.get("m", 0 * g)
        theta -= self.lr * np.sign(beta1 * m + (1 - beta1) * g)
        s["m"] = beta2 * m + (1 - beta2) * g


class LionNewMoment(Lion):
    def one(self, theta, g, s, beta1, beta2):
        m = s["m"] = beta2 * s.get("m", 0 * g) + (1 - beta2) * g
        theta -= self.lr * np.sign(beta1 * m + (1 - beta1) * g)


class LionWithoutSign(Lion):
    def one(self, theta, g, s, beta1, beta2):
        m = s.get("m", 0 * g)
        theta -= self.lr * (beta1 * m + (1 - beta1) * g)
        s["m"] = beta2 * m + (1 - beta2) * g
