"""Estimators, schedules, normalizations and variances written by hand, right and wrong."""

import math

import numpy as np

N, BATCH = 50, 8  # 6 batches of 8 and one of 2


def samples(seed, n=N, width=2):
    """Per-sample gradients: skewed, with a sample of large size at either end; the full gradient is their mean."""
    data = np.random.default_rng(1000 + seed).gamma(2.0, size=(n, width)) - 1.0
    data[0] += 6
    data[-1] -= 9
    return data


class Loader:
    """Epochs over the rows; ``shuffled`` anew for each epoch; the last batch of an epoch is short."""

    def __init__(self, data, batch, shuffled=True, last="own"):
        self.data, self.batch, self.shuffled, self.last, self.left = data, batch, shuffled, last, []

    def __call__(self, rng):
        if not self.left:
            n = len(self.data)
            order = rng.permutation(n) if self.shuffled else np.arange(n)
            self.left = [order[i : i + self.batch] for i in range(0, n, self.batch)]
            if self.last == "dropped" and len(self.left[-1]) < self.batch:
                self.left.pop()
        rows = self.data[self.left.pop(0)]
        return rows.sum(0) / self.batch if self.last == "divided by B" else rows.mean(0)


def replacement(data, batch=BATCH, low=0, high=None):
    return lambda rng: data[rng.integers(low, len(data) if high is None else high, batch)].mean(0)


def subset(data, batch=BATCH):
    return lambda rng: data[rng.permutation(len(data))[:batch]].mean(0)


def fixed_batches(data, batch=BATCH):
    """One of the table's batches at random: the rows of the short one weigh more."""
    starts = range(0, len(data), batch)
    return lambda rng: data[(i := starts[rng.integers(len(starts))]) : i + batch].mean(0)


def seeded_anew(data, batch=BATCH):
    return lambda rng: data[np.random.default_rng(0).integers(0, len(data), batch)].mean(0)


def one_cycle(t, base=0.01, peak=0.1, steps=100, rise=0.3, final=100.0, length=None, straight=False):
    last = steps - 1 if length is None else length
    top = rise * last

    def anneal(high, low, x):
        return high + (low - high) * x if straight else low + (high - low) * (1 + math.cos(math.pi * x)) / 2

    if t < top:
        return anneal(base, peak, t / top)
    return anneal(peak, base / final, (t - top) / (last - top)) if t < last else base / final


def cosine(t, peak=0.1, steps=50, floor=0.001):
    return floor + (peak - floor) * (1 + math.cos(math.pi * min(t, steps) / steps)) / 2


def endless_cosine(t, peak=0.1, steps=50, floor=0.001):
    return floor + (peak - floor) * (1 + math.cos(math.pi * t / steps)) / 2


def restarting_cosine(t):
    return endless_cosine(t % 50)


def warmup_cosine(t, first=1, peak=0.1, warmup=10, steps=60):
    if t < warmup:
        return peak * (t + first) / warmup
    return peak * (1 + math.cos(math.pi * min((t - warmup) / (steps - warmup), 1.0))) / 2


class BatchNorm:
    """Batch normalization over rows, with running values as torch has them."""

    unbiased, share, eps = True, 0.1, 1e-5

    def __init__(self, features):
        self.running_mean, self.running_var = np.zeros(features), np.ones(features)

    def __call__(self, x):
        mean, var, n = x.mean(0), x.var(0), len(x)
        self.running_mean = (1 - self.share) * self.running_mean + self.share * mean
        self.running_var = (1 - self.share) * self.running_var + self.share * (var * n / (n - 1) if self.unbiased else var)
        return self.normalized(x, mean, var)

    def normalized(self, x, mean, var):
        return (x - mean) / np.sqrt(var + self.eps)


class BiasedRunningVariance(BatchNorm):
    unbiased = False


class MomentumExchanged(BatchNorm):
    share = 0.9


class EpsOutsideTheRoot(BatchNorm):
    def normalized(self, x, mean, var):
        return (x - mean) / (np.sqrt(var) + self.eps)


class UnbiasedForward(BatchNorm):
    def normalized(self, x, mean, var):
        return (x - mean) / np.sqrt(x.var(0, ddof=1) + self.eps)


def layer_norm(features):
    return lambda x: (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)


def layer_norm_along_rows(features):
    return lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


def rms_norm_without_root(features):
    return lambda x: x / ((x**2).mean(1, keepdims=True) + 1e-5)
