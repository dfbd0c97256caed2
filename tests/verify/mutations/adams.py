"""Adam and its kin written by hand in NumPy, right and wrong. Each class is what a user could have written."""

import numpy as np


class Optimizer:
    """Parameters are a list of arrays; every parameter has a dictionary of states; ``one`` updates one parameter in place."""

    def __init__(self, params, lr, **options):
        self.params, self.lr, self.options = params, lr, self.defaults | options
        self.states = [{} for _ in params]

    defaults = {}

    def step(self, gradients):
        for theta, g, s in zip(self.params, gradients, self.states, strict=True):
            if g is not None:
                self.one(theta, g, s, **self.options)


class Adam(Optimizer):
    defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class CountFromZero(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s.get("t", 0)  # raised at the end of the step
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        if t > 0:
            m, v = m / (1 - beta1**t), v / (1 - beta2**t)
        theta -= self.lr * m / (np.sqrt(v) + eps)
        s["t"] = t + 1


class CountFromZeroUnguarded(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s.get("t", 0)
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        with np.errstate(all="ignore"):
            theta -= self.lr * (m / np.float64(1 - beta1**t)) / (np.sqrt(v / np.float64(1 - beta2**t)) + eps)
        s["t"] = t + 1


class CountFromOne(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        s.setdefault("t", 1)
        s["t"] += 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1 ** s["t"])) / (np.sqrt(v / (1 - beta2 ** s["t"])) + eps)


class NeverCounts(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1)) / (np.sqrt(v / (1 - beta2)) + eps)


class Uncorrected(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * m / (np.sqrt(v) + eps)


class FirstMomentUncorrected(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * m / (np.sqrt(v / (1 - beta2**t)) + eps)


class CorrectedWithTheOther(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta1**t)) + eps)


class EpsInside(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t) + eps)


class EpsHat(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):  # the "efficient" form, with the same eps
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps)


class EpsForgotten(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        super().one(theta, g, s, beta1, beta2, 1e-300)


class OldMoment(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s.get("m", 0 * theta)
        s["m"] = beta1 * m + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class SquareForgotten(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * abs(g)
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class RootForgotten(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (v / (1 - beta2**t) + eps)


class Climbs(Adam):
    def one(self, theta, g, s, **options):
        super().one(theta, -g, s, **options)


class SumOfSquares(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class WeightsExchanged(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = (1 - beta1) * s.get("m", 0 * theta) + beta1 * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class BetasSwapped(Adam):
    defaults = {"beta1": 0.999, "beta2": 0.9, "eps": 1e-8}


class KerasEps(Adam):
    defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-7}


class ShortMemory(Adam):
    defaults = {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8}


class SharedState(Adam):
    """The states are keyed by a name, not by the parameter."""

    def __init__(self, params, lr, **options):
        super().__init__(params, lr, **options)
        self.moments = {}

    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = self.moments["m"] = beta1 * self.moments.get("m", 0 * theta) + (1 - beta1) * g
        v = self.moments["v"] = beta2 * self.moments.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class SharedCount(Adam):
    """One step count, raised for each parameter."""

    t = 0

    def one(self, theta, g, s, beta1, beta2, eps):
        self.t = t = self.t + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class SingleMoment(Adam):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = np.float32(beta1 * s.get("m", 0 * theta) + (1 - beta1) * g)
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class RateReadOnce(Adam):
    def __init__(self, params, lr, **options):
        super().__init__(params, lr, **options)
        self.first = lr

    def one(self, theta, g, s, **options):
        self.lr, kept = self.first, self.lr
        super().one(theta, g, s, **options)
        self.lr = kept


class Forgetful(Adam):
    def step(self, gradients):
        self.states = [{} for _ in self.params]
        super().step(gradients)


class OnlyTheFirst(Adam):
    def step(self, gradients):
        for theta, g, s in zip(self.params, gradients, self.states, strict=True):
            self.one(theta, g, s, **self.options)
            return  # a return that is indented too far


class InPlaceDecay(Adam):
    """An L2 penalty of zero, added to the gradient in place: harmless until the caller uses the gradient again."""

    def one(self, theta, g, s, **options):
        g *= 1 + 1e-3
        super().one(theta, g / (1 + 1e-3), s, **options)


class HiddenDecay(Adam):
    def one(self, theta, g, s, **options):
        super().one(theta, g + 0.01 * theta, s, **options)


class HiddenDecoupledDecay(Adam):
    def one(self, theta, g, s, **options):
        kept = theta.copy()
        super().one(theta, g, s, **options)
        theta -= self.lr * 0.01 * kept


class Clipped(Adam):
    def step(self, gradients):
        length = np.sqrt(sum(float((g**2).sum()) for g in gradients))
        scale = min(1.0, 1.0 / max(length, 1e-300))
        super().step([scale * g for g in gradients])


class SwallowsNan(Adam):
    def one(self, theta, g, s, **options):
        super().one(theta, np.nan_to_num(g), s, **options)


class SkipsOnNan(Adam):
    def step(self, gradients):
        if all(np.isfinite(g).all() for g in gradients):
            super().step(gradients)


class LosesItsCount(Adam):
    def state_dict(self):
        return [{key: s[key].copy() for key in ("m", "v")} for s in self.states]

    def load_state_dict(self, saved):
        self.states = saved


class NeedsEveryGradient(Adam):
    def step(self, gradients):
        super().step([g + 0 for g in gradients])


class Promotes(Adam):
    def step(self, gradients):
        new = [np.asarray(theta, np.float64) for theta in self.params]
        self.params[:] = new
        super().step(gradients)


class TwoMistakes(Adam):
    """eps inside the root, and the second memory shorter."""

    def one(self, theta, g, s, beta1, beta2, eps):
        EpsInside.one(self, theta, g, s, beta1, 0.99, eps)


class AdamW(Optimizer):
    defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "wd": 0.01}

    def one(self, theta, g, s, wd, **options):
        theta *= 1 - self.lr * wd
        Adam.one(self, theta, g, s, **options)


class DecayCoupled(AdamW):
    def one(self, theta, g, s, wd, **options):
        Adam.one(self, theta, g + wd * theta, s, **options)


class DecayAfter(AdamW):
    def one(self, theta, g, s, wd, **options):
        Adam.one(self, theta, g, s, **options)
        theta *= 1 - self.lr * wd


class DecayWithoutRate(AdamW):
    def one(self, theta, g, s, wd, **options):
        theta *= 1 - wd
        Adam.one(self, theta, g, s, **options)


class DecayTwice(AdamW):
    def one(self, theta, g, s, wd, **options):
        kept = theta.copy()
        Adam.one(self, theta, g, s, **options)
        theta -= 2 * self.lr * wd * kept


class DecayGrows(AdamW):
    def one(self, theta, g, s, wd, **options):
        theta *= 1 + self.lr * wd
        Adam.one(self, theta, g, s, **options)


class DecayBoth(AdamW):
    def one(self, theta, g, s, wd, **options):
        g = g + wd * theta
        theta *= 1 - self.lr * wd
        Adam.one(self, theta, g, s, **options)


class DecayForgotten(AdamW):
    def one(self, theta, g, s, wd, **options):
        Adam.one(self, theta, g, s, **options)


class AdaBelief(Optimizer):
    defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-16}

    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * (g - m) ** 2 + eps
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class BeliefInTheOldMean(AdaBelief):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        old = s.get("m", 0 * theta)
        m = s["m"] = beta1 * old + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * (g - old) ** 2 + eps
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


class AMSGrad(Optimizer):
    defaults = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        top = s["top"] = np.maximum(s.get("top", 0 * theta), v)
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(top / (1 - beta2**t)) + eps)


class MaximumForgotten(AMSGrad):
    def one(self, theta, g, s, **options):
        Adam.one(self, theta, g, s, **options)


class MaximumOfCorrected(AMSGrad):
    def one(self, theta, g, s, beta1, beta2, eps):
        t = s["t"] = s.get("t", 0) + 1
        m = s["m"] = beta1 * s.get("m", 0 * theta) + (1 - beta1) * g
        v = s["v"] = beta2 * s.get("v", 0 * theta) + (1 - beta2) * g * g
        top = s["top"] = np.maximum(s.get("top", 0 * theta), v / (1 - beta2**t))
        theta -= self.lr * (m / (1 - beta1**t)) / (np.sqrt(top) + eps)
