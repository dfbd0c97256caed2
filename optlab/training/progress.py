"""Where a run stands: all that the rest of it depends on, and what was measured so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optlab.training.learner import State
from optlab.training.measures import MEANINGS, SUMS


@dataclass
class Progress:
    """Epochs and steps done, the sums of the epoch under way, the history, the state now and the weights that were best."""

    epochs: int  #: of the whole run
    epoch: int = 1  #: the one under way, from 1
    step: int = 0  #: steps done in it
    sums: np.ndarray = field(default_factory=lambda: np.zeros(len(SUMS)))
    history: dict[str, np.ndarray] = field(default_factory=dict)  #: by epoch; nan where it has not come to
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(0))  #: taken by each epoch
    best_epoch: int = 0  #: 0: none yet
    diverged_at: int = -1  #: the step, counted over the run from 0, whose loss was not finite
    state: State = field(default_factory=dict)
    best: State = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in MEANINGS:
            self.history.setdefault(name, np.full(self.epochs, np.nan))
        if not len(self.seconds):
            self.seconds = np.zeros(self.epochs)

    @property
    def done(self) -> bool:
        """Nothing is left to train."""
        return self.epoch > self.epochs or self.diverged_at >= 0

    def arrays(self) -> dict[str, np.ndarray]:
        """As named arrays, for a file."""
        out = {
            "where": np.array([self.epochs, self.epoch, self.step, self.best_epoch, self.diverged_at], np.int64),
            "sums": self.sums,
            "seconds": self.seconds,
        }
        for kind, held in (("history", self.history), ("state", self.state), ("best", self.best)):
            out |= {f"{kind}/{name}": values for name, values in held.items()}
        return out

    @staticmethod
    def from_arrays(held: dict[str, np.ndarray]) -> Progress:
        """The progress that ``arrays`` gave. Raises KeyError or ValueError if something is missing."""
        epochs, epoch, step, best_epoch, diverged_at = map(int, held["where"])
        parts = {
            kind: {name.split("/", 1)[1]: values for name, values in held.items() if name.startswith(f"{kind}/")}
            for kind in ("history", "state", "best")
        }
        out = Progress(epochs, epoch, step, held["sums"], parts["history"], held["seconds"], best_epoch, diverged_at)
        out.state, out.best = parts["state"], parts["best"]
        return out
