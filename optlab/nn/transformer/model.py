"""A transformer encoder as a record, and where its numbers stand in one flat buffer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optlab.errors import InputError
from optlab.nn.norm_maps import norm_maps
from optlab.nn.shapes import ALIGNED, padded

NORMS = ("layer", "rms", "none")
PLACES = ("pre", "post")


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Embedding and learned positions, ``blocks`` of self-attention and a rectified perceptron, each with a residual, and a read-out.

    Parameters
    ----------
    vocabulary, tokens
        Words, and the length of every sequence.
    width, heads, hidden
        Features of a token, attention heads that share them, units of the perceptron.
    norm
        ``"layer"``, ``"rms"`` or ``"none"``.
    norm_place
        ``"post"``: behind each residual sum (Vaswani et al., NeurIPS 2017). ``"pre"``: before attention and perceptron, and once before the
        read-out (Xiong et al., On layer normalization in the transformer architecture, ICML 2020).
    dtype
        ``"float32"`` or ``"float64"``.

    Attention is not masked: every token sees all. Raises InputError for sizes that do not go together.

    >>> Encoder(vocabulary=8, tokens=16, width=16, heads=2, hidden=64, blocks=2).parameter_count
    7080
    """

    vocabulary: int = 8
    tokens: int = 16
    width: int = 16
    heads: int = 2
    hidden: int = 64
    blocks: int = 2
    norm: str = "layer"
    norm_place: str = "post"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name, unit in (("vocabulary", 4), ("width", 4), ("hidden", 4), ("heads", 1), ("blocks", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1 or value % unit:
                raise InputError(f"{name} = {value!r} must be a positive whole number" + (f", a multiple of {unit}" if unit > 1 else ""))
        if self.tokens not in (4, 8, 16, 32):
            raise InputError(f"tokens = {self.tokens!r} must be 4, 8, 16 or 32: the tokens of a sequence share a vector")
        if self.width % (4 * self.heads):
            raise InputError(f"heads = {self.heads} does not divide width = {self.width} into heads of a multiple of 4 numbers")
        for name, known in (("norm", NORMS), ("norm_place", PLACES), ("dtype", ("float32", "float64"))):
            if getattr(self, name) not in known:
                raise InputError(f"{name} = {getattr(self, name)!r} is none of {', '.join(known)}")

    @property
    def parameter_count(self) -> int:
        """Learned numbers."""
        return sum(int(np.prod(shape)) for _, shape in Layout(self).shapes)

    @property
    def multiply_adds(self) -> int:
        """Of one sequence's forward pass: linear maps and attention's two products."""
        linear = self.blocks * self.width * (4 * self.width + 2 * self.hidden) + self.width * self.vocabulary
        return self.tokens * linear + self.blocks * 2 * self.tokens**2 * self.width


@dataclass(frozen=True)
class Layout:
    """The flat buffer: embeddings and weights first, then norms' parameters and shifts, so that weight decay takes a stretch of it."""

    model: Encoder

    @cached_property
    def _parts(self) -> tuple[list[tuple[str, tuple[int, ...]]], list[tuple[str, tuple[int, ...]]]]:
        m = self.model
        sizes = {"qkv": (m.width, 3 * m.width), "out": (m.width, m.width), "up": (m.width, m.hidden), "down": (m.hidden, m.width)}
        weights: list[tuple[str, tuple[int, ...]]] = [("embedding", (m.vocabulary, m.width)), ("positions", (m.tokens, m.width))]
        shifts: list[tuple[str, tuple[int, ...]]] = []
        for block in range(m.blocks):
            weights += [(f"block{block}.{name}.weight", shape) for name, shape in sizes.items()]
            shifts += [(f"block{block}.norm{k}.{name}", (m.width,)) for k in (1, 2) for name in self.norm_parameters]
            shifts += [(f"block{block}.{name}.bias", shape[1:]) for name, shape in sizes.items()]
        if m.norm_place == "pre":
            shifts += [(f"norm.{name}", (m.width,)) for name in self.norm_parameters]
        return [*weights, ("output.weight", (m.width, m.vocabulary))], [*shifts, ("output.bias", (m.vocabulary,))]

    @property
    def norm_parameters(self) -> dict[str, int]:
        """The learned parameters of a norm, and what each starts from."""
        if self.model.norm == "none":
            return {}
        maps = norm_maps(self.model.norm)
        return dict(zip(maps.parameters, maps.starts, strict=True))

    @property
    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes in order."""
        return [*self._parts[0], *self._parts[1]]

    @cached_property
    def decayed(self) -> int:
        """Numbers before the norms' parameters and shifts, in whole vectors."""
        return padded(sum(int(np.prod(shape)) for _, shape in self._parts[0]), ALIGNED)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each begins."""
        out, at = {}, 0
        for number, (name, shape) in enumerate(self.shapes):
            at = self.decayed if number == len(self._parts[0]) else at
            out[name] = at
            at += int(np.prod(shape))
        return out

    @cached_property
    def size(self) -> int:
        """Numbers in the buffer, in whole vectors."""
        name, shape = self.shapes[-1]
        return padded(self.places[name] + int(np.prod(shape)), ALIGNED)

    def named(self, buffer: np.ndarray) -> dict[str, np.ndarray]:
        """Views of a flat buffer by name."""
        return {n: buffer[self.places[n] : self.places[n] + int(np.prod(shape))].reshape(shape) for n, shape in self.shapes}
