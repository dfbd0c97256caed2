"""A task made in code that no token can solve alone: say the sequence backwards."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from optlab.codegen.module import template
from optlab.ensemble.philox import stream_key
from optlab.ensemble.purposes import Purpose
from optlab.nn import kernels

SIGNATURES = {"draw": "IIiiiii"}  #: of the module's function (see ``optlab.nn.compiling``)


@cache
def module_source() -> str:
    """The module that draws batches: ``draw``."""
    imported = "from numba import uint32\nfrom optlab.ensemble.philox import bounded, philox\n"
    parts = [imported, template(kernels.TEMPLATES / "reversal.py")]
    return kernels.module_text("sequences to reverse", "float64", {"TOKENS": int(Purpose.TOKENS)}, parts)


@dataclass(frozen=True)
class Reversal:
    """Independent uniform words; the label of token i is token ``tokens`` - 1 - i, which attention alone can fetch.

    Without any of it nothing is better than all words alike: a loss of log ``vocabulary``. The same ``seed`` gives the same batches.

    >>> tokens, labels = Reversal(vocabulary=8, tokens=4).batch(2, step=1, seed=0)
    >>> bool((labels.reshape(2, 4) == tokens.reshape(2, 4)[:, ::-1]).all())
    True
    """

    vocabulary: int = 8
    tokens: int = 16

    def batch(self, sequences: int, *, step: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and labels of batch ``step`` (0 is kept for validation), flat, int64."""
        tokens, labels = (np.empty(sequences * self.tokens, np.int64) for _ in range(2))
        self.fill(tokens, labels, step=step, seed=seed)
        return tokens, labels

    def fill(self, tokens: np.ndarray, labels: np.ndarray, *, step: int, seed: int) -> None:
        """The same into arrays."""
        k0, k1 = (int(word) for word in stream_key(seed, "sequences"))
        kernels.loaded(module_source()).draw(tokens, labels, self.tokens, self.vocabulary, step, k0, k1)
