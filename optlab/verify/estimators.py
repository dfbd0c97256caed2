"""Checking a gradient estimator: unbiased, of the variance that its sampling has, and drawn as it says."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from optlab.ensemble.philox import read_seed
from optlab.errors import CheckFailed, InputError
from optlab.verify.means import FALSE_ALARM, Verdict, center_verdict, mean_verdict, tail_index
from optlab.verify.rules import Check

SAMPLINGS = ("replacement", "subset", "reshuffle")
HEAVY = 1.9  #: below this estimated tail index the variance is taken to be infinite


def check_gradient_estimator(
    draw: Callable[..., Any],
    full_gradient: Any,
    *,
    batch: int | None = None,
    sample_gradients: Any = None,
    sampling: str | None = None,
    sigma2: float | None = None,
    tails: str | None = None,
    draws: int = 4000,
    rng: Any = 0,
    raises: bool = True,
) -> list[Check]:
    """Check that draws of a stochastic gradient estimate the full gradient, with the variance that their sampling has.

    Parameters
    ----------
    draw
        ``draw(rng) -> gradient``, rng a NumPy Generator; or ``draw()``. It may remember where it is in an epoch.
    full_gradient
        Shape (coordinates,), or a function without arguments that returns it.
    batch
        |B|, the number of samples in a draw. Needed for the variance.
    sample_gradients
        Each sample's gradient, shape (n, coordinates), whose mean is the full gradient: bounds and variances are then known, and more
        mistakes have a name.
    sampling
        ``"replacement"`` (variance sigma^2/B), ``"subset"`` (a fresh one each time: sigma^2/B (n - B)/(n - 1)) or ``"reshuffle"``
        (epochs); not given: the variance is only compared and reported.
    sigma2
        The variance of one sample's gradient, divisor n, trace over the coordinates; from ``sample_gradients`` if these are given.
    tails
        ``"finite"`` or ``"heavy"``: whether the variance exists. Not given: heavy where Hill's tail index comes out below 1.9.
    draws, rng
        How many are drawn, and the seed.

    The checks, together at a false-alarm probability of at most 1e-9:

    - *changes*: draws are not all the same, and do not come round in the same order epoch after epoch;
    - *unbiased*: their mean is the full gradient: with ``sample_gradients`` by Bernstein's inequality (exact at every number of
      draws), else by z with a skewness correction (three finite moments). Where the variance is infinite, no test of a mean exists
      (Bahadur & Savage 1956); what is tested then is symmetry of the noise about the full gradient, by a bounded transform;
    - *epochs* (reshuffle): the batches of an epoch hold every sample once;
    - *variance*: the mean of ||draw - full||^2 is sigma^2/B, times (n - B)/(n - 1) for subsets; not tested where it is infinite;
    - *independence* (replacement, subset): one draw does not depend on the draw before.

    Raises CheckFailed with the likely mistake unless ``raises=False``; InputError where something does not fit together.

    >>> data = np.random.default_rng(1).normal(size=(50, 2))
    >>> checks = check_gradient_estimator(lambda rng: data[rng.integers(0, 50, 5)].mean(0), data.mean(0), batch=5,
    ...                                   sample_gradients=data, sampling="replacement")
    >>> [(check.name, check.passed) for check in checks]
    [('changes', True), ('unbiased', True), ('epochs', None), ('variance', True), ('independence', True)]
    >>> check_gradient_estimator(lambda rng: data[rng.integers(0, 49, 5)].mean(0), data.mean(0), batch=5,
    ...                          sample_gradients=data, draws=40_000)
    Traceback (most recent call last):
    optlab.errors.CheckFailed: gradient estimator: unbiased: ... it looks like the last sample never drawn (an index off by one)
    """
    if sampling is not None and sampling not in SAMPLINGS:
        raise InputError(f"sampling = {sampling!r} is unknown: use one of {', '.join(SAMPLINGS)}")
    if tails not in (None, "finite", "heavy"):
        raise InputError(f"tails = {tails!r} is unknown: use 'finite' or 'heavy'")
    if draws < 100:
        raise InputError(f"draws = {draws} is too few to test anything: give at least 100")
    subject = _Estimator(draw, full_gradient, batch, sample_gradients, sampling, sigma2, tails, int(draws), rng)
    with np.errstate(all="ignore"):  # draws may be all the same, or not finite
        checks = [Check(name, *check()) for name, check in subject.checks()]
    failed = next((check for check in checks if check.passed is False), None)
    if failed and raises:
        raise CheckFailed(f"gradient estimator: {failed.name}: {failed.detail}")
    return checks


@dataclass
class _Estimator:
    draw: Callable[..., Any]
    full_gradient: Any
    batch: int | None
    sample_gradients: Any
    sampling: str | None
    sigma2: float | None
    tails: str | None
    draws: int
    rng: Any

    def __post_init__(self) -> None:
        given = self.full_gradient() if callable(self.full_gradient) else self.full_gradient
        self.full = np.atleast_1d(np.asarray(given, float)).ravel()
        self.samples = None if self.sample_gradients is None else np.asarray(self.sample_gradients, float)
        if self.samples is not None:
            if self.samples.ndim == 1:
                self.samples = self.samples[:, None]
            if self.samples.ndim != 2 or self.samples.shape[1] != len(self.full):
                raise InputError(f"sample_gradients of shape {self.samples.shape}: give (n, {len(self.full)}), as the full gradient is")
            off = float(np.abs(self.samples.mean(0) - self.full).max())
            if off > 1e-8 * float(np.abs(self.samples).max()):
                raise InputError(f"full_gradient is not the mean of sample_gradients: they differ by {off:.3g}")
            self.sigma2 = float(((self.samples - self.full) ** 2).sum(1).mean())
        if self.batch is not None and (int(self.batch) != self.batch or self.batch < 1):
            raise InputError(f"batch = {self.batch} is no number of samples: give an integer from 1")
        if self.n and self.batch and self.sampling in ("subset", "reshuffle") and self.batch > self.n:
            raise InputError(f"batch = {self.batch} is more than the {self.n} samples there are")

    @property
    def n(self) -> int:
        """The number of samples, 0 if it is not known."""
        return 0 if self.samples is None else len(self.samples)

    @cached_property
    def drawn(self) -> np.ndarray:
        """The draws, shape (draws, coordinates)."""
        generator = np.random.default_rng(read_seed(self.rng))
        takes = len(inspect.signature(self.draw).parameters) > 0
        out = np.empty((self.draws, len(self.full)))
        for i in range(self.draws):
            value = np.asarray(self.draw(generator) if takes else self.draw(), float).ravel()
            if value.shape != self.full.shape:
                raise InputError(f"draw returns {value.size} numbers for a full gradient of {self.full.size}")
            out[i] = value
        return out

    @cached_property
    def heavy(self) -> bool:
        """Whether the variance is taken to be infinite."""
        if self.tails is not None:
            return self.tails == "heavy"
        return self.samples is None and tail_index(self.drawn) < HEAVY

    @property
    def epoch(self) -> int:
        """Batches in an epoch, 0 if that is not known."""
        return math.ceil(self.n / self.batch) if self.n and self.batch else 0

    def checks(self) -> Iterator[tuple[str, Callable[[], tuple[bool | None, str]]]]:
        yield from (
            ("changes", self.changes), ("unbiased", self.unbiased), ("epochs", self.epochs), ("variance", self.variance),
            ("independence", self.independence),
        )  # fmt: skip

    def changes(self) -> tuple[bool | None, str]:
        x = self.drawn
        if not np.all(np.isfinite(x)):
            row = int(np.argmax(~np.isfinite(x).all(1)))
            return False, f"draw {row + 1} is not finite"
        moved = np.abs(x - x[0]).max()
        if moved == 0:
            if self.sigma2 == 0 or (self.sampling != "replacement" and self.batch and self.batch == self.n):
                return True, "all draws are the same, as they should be"
            return False, "all draws are the same: one batch is drawn over and over (the generator may be seeded anew for each)"
        for period in range(2, min(max(2 * self.epoch, 64), self.draws // 3) + 1):
            if np.allclose(x[period:], x[:-period], rtol=1e-12, atol=1e-14 * moved):
                same = period == self.epoch or not self.epoch
                what = "the same batches in the same order in every epoch: sampling without reshuffle" if same else "draws come round"
                return False, f"{what} (they repeat after {period} draws)"
        return True, "draws change, and do not come round"

    def unbiased(self) -> tuple[bool | None, str]:
        verdict = self._verdict(self.full, FALSE_ALARM / 4)
        k = verdict.place
        mean = float(self.drawn[:, k].mean())
        numbers = f"|z| {verdict.z:.1f} in coordinate {k}, limit {verdict.limit:.1f} ({verdict.how})"
        if self.heavy:
            held = "the noise is symmetric about the full gradient" if verdict.held else "the noise is not centered at the full gradient"
            return verdict.held, f"the variance looks infinite, so that no mean can be tested; {held}: {numbers}"
        if verdict.held is None:
            return None, f"{self.draws} draws this skewed decide nothing: give more draws, or sample_gradients ({numbers})"
        if verdict.held:
            return True, f"the mean of {self.draws} draws is the full gradient: {numbers}"
        cause = self._cause()
        return False, f"the mean of {self.draws} draws is {mean:.6g}, the full gradient {self.full[k]:.6g}: {numbers}" + (
            f"; it looks like {cause}" if cause else ""
        )

    def _verdict(self, expected: np.ndarray, false_alarm: float) -> Verdict:
        if self.heavy:
            return center_verdict(self.drawn, expected, false_alarm)
        bounds = None
        if self.samples is not None and self.batch:
            deviations = np.abs(self.samples - self.full)
            part = 1 / self.batch
            if self.sampling in (None, "reshuffle") and self.n % self.batch:  # the last batch of an epoch is shorter
                part = (part * (self.epoch - 1) + 1 / (self.n % self.batch)) / self.epoch
            bounds = ((deviations**2).mean(0) * part, deviations.max(0))
        return mean_verdict(self.drawn, expected, false_alarm, bounds)

    def _cause(self) -> str | None:
        """The mistake under which the mean is what was found: the nearest of those that are consistent with it."""
        found, best = self.drawn.mean(0), None
        error = np.maximum(self.drawn.std(0) / math.sqrt(self.draws), 1e-12 * np.abs(self.full).max() + 1e-300)
        for words, expected in self._biases():
            z = float(np.abs((found - expected) / error).max())
            if z <= 4.5 and (best is None or z < best[0] - 1):
                best = (z, words)
        return best[1] if best else None

    def _biases(self) -> Iterator[tuple[str, np.ndarray]]:
        full = self.full
        yield "the sign flipped", -full
        yield "twice the full gradient (a factor 2 of a squared loss)", 2 * full
        yield "half the full gradient (a factor 1/2 of a squared loss)", full / 2
        if self.batch and self.batch > 1:
            yield "a sum over the batch in place of its mean", self.batch * full
            yield "the mean over the batch divided by |B| once more", full / self.batch
        if self.samples is None:
            return
        n = self.n
        yield "a sum over all samples in place of their mean", n * full
        if self.batch:
            yield "a division by n in place of |B|", self.batch * full / n
        yield "the last sample never drawn (an index off by one)", self.samples[:-1].mean(0)
        yield "the first sample never drawn (an index off by one)", self.samples[1:].mean(0)
        if self.batch and n % self.batch:
            whole = self.epoch * self.batch
            yield "the last short batch divided by |B|, not by its own size", full * n / whole
            places = np.arange(n) // self.batch
            weights = 1 / np.bincount(places)[places] / self.epoch
            words = "biased sampling of the last short batch: its samples weigh more than the others"
            yield words, weights @ self.samples
            kept = (n // self.batch) * self.batch
            yield "the last short batch left out: its samples are never drawn", self.samples[:kept].mean(0)

    def epochs(self) -> tuple[bool | None, str]:
        if self.sampling != "reshuffle" or not self.epoch or self.batch is None:
            return None, "only for sampling='reshuffle' with sample_gradients and batch"
        assert self.samples is not None
        sizes = np.full(self.epoch, self.batch, float)
        sizes[-1] = self.n - self.batch * (self.epoch - 1)
        whole = self.draws // self.epoch
        batches = self.drawn[: whole * self.epoch].reshape(whole, self.epoch, -1)
        limit = 1e-9 * float(np.abs(self.samples).max())

        def missed(weights: np.ndarray) -> np.ndarray:
            return np.abs(np.einsum("k,ekc->ec", weights, batches) / self.n - self.full).max(1) > limit

        wrong = missed(sizes)
        if not wrong.any():
            return True, f"in each of {whole} epochs every sample is drawn once"
        words = f"the batches of epoch {int(np.argmax(wrong)) + 1} do not sum to the full gradient"
        if not missed(np.full(self.epoch, float(self.batch))).any():
            return False, f"{words}: it looks like the last short batch divided by |B|, not by its own size"
        if self.n % self.batch:
            return False, f"{words}: a sample is missing or drawn twice (is the last short batch left out?)"
        return False, f"{words}: a sample is missing or drawn twice (are samples drawn afresh for each batch?)"

    def variance(self) -> tuple[bool | None, str]:
        if self.heavy:
            return None, "the variance looks infinite: nothing to compare"
        if self.batch is None or self.sigma2 is None:
            return None, "needs batch, and sample_gradients or sigma2"
        if self.sigma2 == 0:
            return None, "all samples have the same gradient"
        squares = ((self.drawn - self.full) ** 2).sum(1)[:, None]
        share = squares / (self.sigma2 / self.batch)
        laws = {"with replacement (sigma^2/B)": 1.0}
        if self.n > 1:
            laws["without replacement (sigma^2/B (n - B)/(n - 1))"] = (self.n - self.batch) / (self.n - 1)
        claimed = list(laws)[0 if self.sampling == "replacement" or len(laws) == 1 else 1]
        if self.sampling == "reshuffle" and self.n % self.batch:
            return None, "the last batch of an epoch is shorter: its variance is another"
        ratio = float(share.mean())
        if self.sampling is None:
            held = [words for words, value in laws.items() if mean_verdict(share, np.array([value]), FALSE_ALARM / 4).held]
            words = f"{ratio:.4g} sigma^2/B: as {' or '.join(held)}" if held else f"{ratio:.4g} sigma^2/B"
            return None, words
        if laws[claimed] == 0:
            return bool(share.max() <= 1e-18), "all samples are in the batch: there should be no variance"
        if self.sampling == "reshuffle":
            return self._by_epoch(share, laws[claimed])
        verdict = mean_verdict(share, np.array([laws[claimed]]), FALSE_ALARM / 4)
        size = f"|z| {verdict.z:.1f}, limit {verdict.limit:.1f}"
        numbers = f"it is {ratio:.4g} sigma^2/B; {self.sampling} has {laws[claimed]:.4g}: {size}"
        if verdict.held is not False:
            return verdict.held, numbers
        cause = self._variance_cause(share, laws, claimed)
        return False, numbers + (f"; it looks like {cause}" if cause else "")

    def _by_epoch(self, share: np.ndarray, expected: float) -> tuple[bool | None, str]:
        """Batches of an epoch depend on each other: their mean over an epoch is one draw."""
        whole = len(share) // self.epoch
        means = share[: whole * self.epoch].reshape(whole, self.epoch, 1).mean(1)
        if whole < 100:
            return None, f"{whole} epochs are too few for a test of the variance: give more draws"
        verdict = mean_verdict(means, np.array([expected]), FALSE_ALARM / 4)
        ratio = float(means.mean())
        size = f"|z| {verdict.z:.1f}, limit {verdict.limit:.1f}"
        return verdict.held, f"it is {ratio:.4g} sigma^2/B; batches of an epoch have {expected:.4g}: {size}"

    def _variance_cause(self, share: np.ndarray, laws: dict[str, float], claimed: str) -> str | None:
        assert self.batch is not None
        own = laws[claimed]
        family = {f"sampling {words}": value for words, value in laws.items() if words != claimed}
        family |= {"one sample drawn, whatever |B| is": float(self.batch) if own == 1 else own * self.batch}
        family |= {f"|B| = {self.batch * k if k > 1 else self.batch // 2}, not {self.batch}": own / k for k in (2, 0.5)}
        family |= {"noise that is smaller by |B| once more": own / self.batch}
        error = float(share.std()) / math.sqrt(len(share)) + 1e-300
        fits = [(abs(float(share.mean()) - value) / error, words) for words, value in family.items()]
        best = min(fits, default=None)
        return best[1] if best and best[0] <= 4.5 else None

    def independence(self) -> tuple[bool | None, str]:
        if self.sampling == "reshuffle":
            return None, "batches of an epoch depend on each other, as they should"
        d = self.drawn - self.full
        if np.abs(self.drawn - self.drawn[0]).max() == 0:
            return None, "all draws are the same"
        if self.heavy:
            d = np.sign(d)
        products = d[1::2] * d[: len(d) - len(d) % 2 : 2]
        verdict = mean_verdict(products[: len(products)], np.zeros(d.shape[1]), FALSE_ALARM / 4)
        numbers = f"|z| {verdict.z:.1f}, limit {verdict.limit:.1f}"
        if verdict.held:
            return True, f"a draw does not depend on the one before: {numbers}"
        if verdict.held is None:
            return None, f"draws this skewed decide nothing: {numbers}"
        if self.sampling is None:
            return None, f"a draw depends on the one before, as in epochs: {numbers}"
        return False, f"a draw depends on the one before ({numbers}): samples are taken in order, or in epochs, not afresh for each draw"
