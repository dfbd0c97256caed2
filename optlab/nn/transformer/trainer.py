"""Training steps of an encoder: one run, one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from optlab import rules
from optlab.codegen.rules import lowered
from optlab.ensemble.philox import read_seed, stream_key
from optlab.ensemble.plans import rule_plan
from optlab.errors import InputError
from optlab.expressions import Rule
from optlab.nn import kernels
from optlab.nn.compiling import prepare
from optlab.nn.parameters import aligned, he_deviation
from optlab.nn.shapes import padded
from optlab.nn.trainer import Batch
from optlab.nn.transformer import sequences
from optlab.nn.transformer.kernels import SIGNATURES, encoder_source, workspace
from optlab.nn.transformer.model import Encoder, Layout
from optlab.symbols import theta


class EncoderTrainer:
    """An encoder in training: its parameters, the rule's states, and steps on batches of a fixed number of sequences.

    Parameters
    ----------
    model
        An :class:`Encoder`.
    rule
        An optimizer: a name, a call, a file, or a :class:`~optlab.expressions.Rule`. Weight decay (``wd``) takes neither norms nor shifts.
    batch
        Sequences of a step.
    rng
        The seed of the initial weights: normal, of variance 2/fan-in (He et al., 2015); a token is the sum of two embeddings.

    ``parameters``, ``gradient`` and ``states`` are flat, as :class:`Layout` says. The same seed gives the same bits; kernels hold no lock,
    so that trainers run side by side. Raises InputError for options out of range.

    >>> from optlab.nn.transformer import Encoder, EncoderTrainer, Reversal
    >>> trainer, task = EncoderTrainer(Encoder(tokens=4, blocks=1), "adam", batch=8), Reversal(tokens=4)
    >>> losses = [trainer.step(*task.batch(8, step=t, seed=0), 0.01).loss for t in range(1, 101)]
    >>> losses[0] > 1.5, losses[-1] < 0.5
    (True, True)
    """

    def __init__(self, model: Encoder, rule: Rule | str, *, batch: int = 32, rng: Any = 0) -> None:
        if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= 1 << 16:
            raise InputError(f"batch = {batch!r} must be a whole number from 1 to {1 << 16}")
        self.model, self.batch, self.rule, self.layout, self.steps = model, batch, rules.get(rule), Layout(model), 0
        undecayed = self.rule.with_(wd=0) if "wd" in map(str, self.rule.parameters) else self.rule
        self._plans = [rule_plan(self.rule), rule_plan(undecayed)]  # of the weights; of norms and shifts
        self._constants = [plan.constants.astype(model.dtype) for plan in self._plans]
        self._carried = [np.array(plan.facts["carried"], np.float64) for plan in self._plans]
        unbound, size = self.rule.unbound(), self.layout.size
        self._module = kernels.loaded(encoder_source(model, batch))
        self._rule_module = kernels.loaded(kernels.flat_source(unbound, model.dtype))
        names = SIGNATURES | {name: kernels.SIGNATURES[name] for name in ("advance", "look_ahead")}
        jobs = [(self._module if name in SIGNATURES else self._rule_module, name, letters) for name, letters in names.items()]
        jobs.append((kernels.loaded(kernels.start_source()), "fill_normals", kernels.SIGNATURES["fill_normals"]))
        jobs.append((kernels.loaded(sequences.module_source()), "draw", sequences.SIGNATURES["draw"]))
        prepare(jobs, model.dtype)
        self._state = aligned(size * (1 + len(self.rule.coordinate_states)), model.dtype)
        self.parameters, self.states = self._state[:size], self._state.reshape(-1, size)[1:]
        self.gradient = aligned(size, model.dtype)
        self._looks = lowered(unbound).point != theta
        self._point = aligned(size, model.dtype) if self._looks else self.parameters
        self._work, self._totals = aligned(workspace(model, batch)["SIZE"], model.dtype), np.zeros(2)
        for row, value in zip(self.states, self._plans[0].initial, strict=True):
            row[:] = value
        self._start(read_seed(rng))

    def _start(self, seed: int) -> None:
        key = [int(word) for word in stream_key(seed, "parameters")]
        for number, (name, view) in enumerate(self.named().items()):
            kind = name.rpartition(".")[2]
            if kind in ("weight", "embedding", "positions"):
                drawn = np.empty(padded(view.size, 4), np.float64)
                kernels.loaded(kernels.start_source()).fill_normals(drawn, number, len(drawn) // 4, *key)
                view[:] = (drawn[: view.size] * he_deviation(view.shape[0] if kind == "weight" else 2)).reshape(view.shape)
            else:
                view[:] = self.layout.norm_parameters.get(kind, 0)

    def named(self) -> dict[str, np.ndarray]:
        """Views of the parameters by name, such as ``block0.qkv.weight`` of shape (inputs, outputs)."""
        return self.layout.named(self.parameters)

    def step(self, tokens: np.ndarray, labels: np.ndarray, rate: float) -> Batch:
        """One step of the rule on a batch, with learning rate ``rate``; the loss (the mean over tokens) is that before the step.

        ``tokens`` and ``labels`` hold whole numbers below ``vocabulary``, ``batch`` x ``tokens`` of them. A loss that is not finite is a
        result, not an error. Raises InputError for arrays that do not fit.
        """
        if not rate >= 0:
            raise InputError(f"rate = {rate!r} must be a number of at least 0")
        pairs = zip(self._plans, self._carried, strict=True)
        scalars = [plan.scalars(float(rate), self.steps, row).astype(self.model.dtype) for plan, row in pairs]
        numbers = list(zip(self._constants, scalars, self._stretches(), strict=True))
        if self._looks:
            for constants, scalar, (begin, end) in numbers:
                self._rule_module.look_ahead(self._state, self._point, constants, scalar, begin, end)
        found = self.gradients(tokens, labels)
        for constants, scalar, (begin, end) in numbers:
            self._rule_module.advance(self._state, self.gradient, constants, scalar, begin, end)
        self.steps += 1
        return found

    def gradients(self, tokens: np.ndarray, labels: np.ndarray) -> Batch:
        """Loss and ``gradient`` of a batch, at the parameters (or where the rule's last look went); nothing else changes."""
        return self._pass(self._point, tokens, labels, True)

    def evaluate(self, tokens: np.ndarray, labels: np.ndarray) -> Batch:
        """Loss and right answers of one batch; nothing changes."""
        return self._pass(self.parameters, tokens, labels, False)

    def _pass(self, point: np.ndarray, tokens: np.ndarray, labels: np.ndarray, wanted: bool) -> Batch:
        self._module.gradients(point, *self._read(tokens, labels), self._work, self._totals, self.gradient, int(wanted))
        count = self.batch * self.model.tokens
        return Batch(float(self._totals[0]), round(float(self._totals[1]) * count), count)

    def _stretches(self) -> list[tuple[int, int]]:
        return [(0, self.layout.decayed), (self.layout.decayed, self.layout.size)]

    def _read(self, tokens: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = self.batch * self.model.tokens
        out = [np.ascontiguousarray(given, np.int64).ravel() for given in (tokens, labels)]
        for name, given in zip(("tokens", "labels"), out, strict=True):
            if len(given) != count:
                raise InputError(f"{name}: {len(given)} numbers do not fit {self.batch} sequences of {self.model.tokens} tokens")
            if given.min() < 0 or given.max() >= self.model.vocabulary:
                raise InputError(f"{name} lie in {given.min()} .. {given.max()}: the vocabulary is 0 .. {self.model.vocabulary - 1}")
        return out[0], out[1]
