"""The loop: epochs of steps, what is measured in each, what is kept, and how it goes on after an interruption."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from optlab.errors import Interrupted
from optlab.training.checkpoint import Checkpoint
from optlab.training.interrupts import Interrupts
from optlab.training.learner import Learner
from optlab.training.measures import noise_scale, norm
from optlab.training.progress import Progress
from optlab.training.task import Task

log = logging.getLogger(__name__)
SAVE_SECONDS = 60.0  #: between two writings of a checkpoint within an epoch
EPOCH_SECONDS = 2.0  #: the same at the end of an epoch

Tell = Callable[[int, int, str], None]  #: steps done, steps in all, what the last epoch gave


@dataclass
class Loop:
    """One run: ``learner`` on ``task`` at ``rates`` (one per step of all epochs).

    ``probe`` batches measure the gradient-noise scale after each epoch (0: it is not measured). Divergence, a loss that is not a finite
    number, ends the run and is a result. With a checkpoint, an interruption at any moment loses at most a minute, and what follows
    it is the same bits as without it.
    """

    learner: Learner
    task: Task
    rates: np.ndarray
    epochs: int
    probe: int = 8
    checkpoint: Checkpoint | None = None
    tell: Tell | None = None
    saved: float = 0.0  #: when a checkpoint was last written, on the monotonic clock

    def run(self, resume: bool = False) -> Progress:
        """Train to the end; returns where it ended. Raises Interrupted, with the progress as its ``progress``, after Ctrl-C."""
        progress = self._start(resume)
        with Interrupts() as interrupts:
            while not progress.done and not interrupts.asked:
                self._epoch(progress, interrupts)
            stopped = interrupts.asked and not progress.done
        progress.state = self.learner.state()
        kept = self._save(progress)
        if stopped:
            where = f"epoch {progress.epoch} of {progress.epochs}, step {progress.step} of {self.task.feed.steps}"
            error = Interrupted(f"interrupted in {where}" + (f"; kept in {kept}: go on with --resume" if kept else "; nothing was kept"))
            error.progress = progress  # type: ignore[attr-defined]
            raise error
        return progress

    def _start(self, resume: bool) -> Progress:
        found = None
        if self.checkpoint is not None:
            if not resume:
                self.checkpoint.refuse()
            found = self.checkpoint.load()
        if found is None:
            return Progress(self.epochs, state=self.learner.state())
        self.learner.restore(found.state)
        log.info("read epoch %d, step %d from %s", found.epoch, found.step, self.checkpoint.path if self.checkpoint else "")
        return found

    def _epoch(self, progress: Progress, interrupts: Interrupts) -> None:
        """Steps to the end of the epoch under way, or until interrupted or diverged."""
        feed = self.task.feed
        began, number = time.monotonic(), progress.epoch
        base, total = (number - 1) * feed.steps, self.epochs * feed.steps
        label = self._label(progress)
        for found in self._steps(number, progress.step):
            for loss, correct, gradient, change, size in found.tolist():
                if not (math.isfinite(loss) and math.isfinite(change)):
                    progress.diverged_at = base + progress.step
                    progress.seconds[number - 1] += time.monotonic() - began
                    return
                progress.sums += (loss, correct, gradient, change / size if size else math.nan)
                progress.step += 1
            if self.tell:
                self.tell(base + progress.step, total, label)
            if interrupts.asked:
                progress.seconds[number - 1] += time.monotonic() - began
                return
            self._save_after(SAVE_SECONDS, progress)
        self._measure(progress)
        progress.seconds[number - 1] += time.monotonic() - began
        progress.epoch, progress.step, progress.sums = number + 1, 0, np.zeros_like(progress.sums)
        log.info("trained epoch %d of %d: %s", number, progress.epochs, self._label(progress))
        self._save_after(EPOCH_SECONDS, progress)

    def _steps(self, number: int, first: int) -> Iterator[np.ndarray]:
        """The steps of an epoch from the given one on, a row each of what is measured: one at a time, or as the learner groups them."""
        feed, learner = self.task.feed, self.learner
        rates = self.rates[(number - 1) * feed.steps + first : number * feed.steps]
        grouped = getattr(learner, "steps", None)
        if grouped is not None:
            yield from grouped(feed, number, first, rates)
            return
        for (inputs, targets), rate in zip(feed.epoch(number, first), rates, strict=True):
            before = learner.parameters.copy()
            loss, correct = learner.step(inputs, targets, float(rate))
            with np.errstate(over="ignore", invalid="ignore"):
                change = norm(learner.parameters - before)
            yield np.array([[loss, correct, norm(learner.gradient), change, norm(before)]])

    def _measure(self, progress: Progress) -> None:
        """What there is to say after an epoch; the weights are kept if they are the best so far."""
        feed, history, row = self.task.feed, progress.history, progress.epoch - 1
        loss, _, gradient, ratio = progress.sums / feed.steps
        correct = progress.sums[1] / (feed.steps * feed.batch)
        mean, right = evaluate(self.learner, self.task, self.task.validation)
        measured = {
            "train_loss": loss, "train_accuracy": correct, "validation_loss": mean, "validation_accuracy": right,
            "gradient_norm": gradient, "update_ratio": ratio, "learning_rate": float(self.rates[progress.epoch * feed.steps - 1]),
        }  # fmt: skip
        if self.probe:
            batches = islice(feed.epoch(progress.epoch + 1), self.probe)  # not yet learned from in this form
            with np.errstate(all="ignore"):
                trace, square = noise_scale(self.learner, batches, self.learner.state())
            measured |= {"gradient_trace": trace, "gradient_square": square, "noise_scale": trace / square if square > 0 else math.nan}
        if not self.task.classes:
            measured["train_accuracy"] = measured["validation_accuracy"] = math.nan
        for name, value in measured.items():
            history[name][row] = value
        if not math.isfinite(mean):
            progress.diverged_at = progress.epoch * feed.steps - 1
        elif better(self.task, history, row, progress.best_epoch - 1):
            progress.best_epoch, progress.best = progress.epoch, self.learner.weights()

    def _label(self, progress: Progress) -> str:
        row = progress.epoch - 2
        if row < 0:
            return ""
        accuracy, loss = progress.history["validation_accuracy"][row], progress.history["validation_loss"][row]
        return f"{accuracy:.1%} right" if self.task.classes else f"loss {loss:.4g}"

    def _save_after(self, seconds: float, progress: Progress) -> None:
        """Write the checkpoint if the last one is older than this."""
        if self.checkpoint is not None and time.monotonic() - self.saved > seconds:
            progress.state = self.learner.state()
            self._save(progress)
            self.saved = time.monotonic()

    def _save(self, progress: Progress) -> Any:
        if self.checkpoint is None:
            return None
        self.checkpoint.save(progress)
        log.info("kept epoch %d, step %d in %s", progress.epoch, progress.step, self.checkpoint.path)
        return self.checkpoint.path


def better(task: Task, history: dict[str, np.ndarray], row: int, best: int) -> bool:
    """Whether an epoch is better than the best so far: more right on the validation part, or for numbers a smaller loss."""
    if best < 0:
        return True
    if task.classes:
        return bool(history["validation_accuracy"][row] > history["validation_accuracy"][best])
    return bool(history["validation_loss"][row] < history["validation_loss"][best])


def evaluate(learner: Learner, task: Task, part: Any) -> tuple[float, float]:
    """Mean loss and fraction right over a whole part."""
    total, right, count = 0.0, 0, 0
    for inputs, targets in task.feed.plain(part):
        loss, correct = learner.evaluate(inputs, targets)
        total, right, count = total + loss * len(targets), right + correct, count + len(targets)
    return total / count, right / count
