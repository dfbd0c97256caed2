"""How one layer's kernels are laid out: vectors, register tiles, tiles of the image, and where things stand in a thread's scratch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import lcm

from llvmlite import binding

from optlab.codegen.lanes import register_bits
from optlab.errors import InputError
from optlab.nn.models import Layer, Model

TILES_AT_ONCE = 32  #: tiles of one chunk: their transforms stay in the second-level cache
ROWS_AT_ONCE = 16  #: rows of a chunk of a linear layer
SHARDS = 8  #: parts of a batch whose gradients are summed apart: the most threads that a step can use
LINE = 16  #: numbers; one or two cache lines
ALIGNED = 16  #: numbers; arrays and their parts begin on multiples of this


@cache
def registers() -> int:
    """Vector registers of this machine: 32 with AVX-512 and on ARM, else 16."""
    return 32 if register_bits() == 512 or binding.get_default_triple().startswith(("aarch64", "arm64")) else 16


def lanes_of(dtype: str) -> int:
    """Numbers in one vector register."""
    return register_bits() // (32 if dtype == "float32" else 64)


def padded(channels: int, width: int) -> int:
    """Channels in whole vectors."""
    return -(-channels // width) * width


def split(total: int, most: int) -> tuple[tuple[int, int], ...]:
    """``total`` rows in as few tiles of at most ``most`` rows as possible, as even as possible: (rows, how often).

    >>> split(32, 6)
    ((6, 2), (5, 4))
    """
    tiles = -(-total // most)
    short, more = divmod(total, tiles)
    return tuple((rows, times) for rows, times in ((short + 1, more), (short, tiles - more)) if times)


@dataclass(frozen=True)
class Shape:
    """The constants of one layer's kernels; see ``templates/convolution.py`` for what they mean."""

    layer: Layer
    width: int  #: lanes
    tile: int
    unit: int
    chunks: int

    @property
    def points(self) -> int:
        return self.tile + self.layer.taps - 1

    @property
    def margin(self) -> int:
        return (self.layer.taps - 1) // 2

    @property
    def halo(self) -> int:
        return self.layer.side + 2 * self.margin

    @property
    def inputs(self) -> int:
        """Input channels in whole vectors."""
        return padded(self.layer.inputs, self.width)

    @property
    def outputs(self) -> int:
        """Output channels in whole vectors."""
        return padded(self.layer.outputs, self.width)

    @property
    def tiles(self) -> int:
        """Tiles of a chunk."""
        return self.unit * (self.layer.side // self.tile) ** 2 // self.chunks

    def vectors(self, channels: int) -> int:
        """Vectors of a register tile."""
        return 2 if channels % (2 * self.width) == 0 else 1

    def constants(self) -> dict[str, object]:
        """Every number that the templates use."""
        c, k, n2 = self.inputs, self.outputs, self.points**2
        kv, cv = self.vectors(k), self.vectors(c)
        side = self.layer.side // self.tile
        values: dict[str, object] = {
            "WIDTH": self.width, "C": self.layer.inputs, "K": self.layer.outputs, "CP": c, "KP": k, "H": self.layer.side,
            "OUT": self.layer.side_after, "STRIDE": self.layer.stride, "TAPS": self.layer.taps, "TILE": self.tile, "POINTS": self.points,
            "MARGIN": self.margin, "HALO": self.halo, "T": self.tiles, "SIDE": side, "UNIT": self.unit, "CHUNKS": self.chunks,
            "TILES_PER_IMAGE": self.tiles // self.unit, "ROWS_PER_CHUNK": self.tiles // self.unit // side,
            "K_VECTORS": kv, "K_BLOCKS": k // (kv * self.width), "C_VECTORS": cv, "C_BLOCKS": c // (cv * self.width),
            "TILES": split(self.tiles, self.rows(max(kv, cv))), "CHANNEL_TILES": split(self.layer.inputs, self.rows(kv)),
            "C_STEP": self.step(c), "K_STEP": self.step(k), "BACK_AT": n2 * self.layer.inputs * k,
        }  # fmt: skip
        return values | self.places()

    def step(self, channels: int) -> int:
        """Numbers from one point of the transforms to the next: an odd number of lines, lest all share a few sets of the cache."""
        lines = -(-self.tiles * channels // LINE)
        return (lines + 1 - lines % 2) * LINE

    def rows(self, vectors: int) -> int:
        """Rows of a register tile: one register is left for the number that meets them, one for each vector."""
        return min((registers() - vectors - 1) // vectors, 16)

    def places(self) -> dict[str, int]:
        """Where the parts of the scratch begin, and its size."""
        image, n2 = self.halo**2 * self.inputs, self.points**2
        sizes = {
            "PADDED_AT": image, "BACK_PADDED_AT": image, "SLOPE_AT": self.layer.side_after**2 * self.outputs,
            "INPUT_AT": n2 * self.step(self.inputs), "GRADIENT_AT": n2 * self.step(self.outputs),
            "PRODUCT_AT": n2 * self.step(max(self.inputs, self.outputs)), "SUMS_AT": 2 * self.outputs,
        }  # fmt: skip
        out, at = {}, 0
        for name, size in sizes.items():
            out[name], at = at, at + padded(size, ALIGNED)
        return out | {"SCRATCH": at}

    @property
    def packed(self) -> int:
        """Numbers in the transformed weights, forward and backward."""
        return self.points**2 * (self.layer.inputs * self.outputs + self.inputs * self.layer.outputs)

    @property
    def products(self) -> int:
        """Numbers in the sums of products that the weights' gradient is made of."""
        return self.points**2 * self.layer.inputs * self.outputs


def shape_of(layer: Layer, dtype: str) -> Shape:
    """The shape of a layer on this machine. Raises InputError for an image whose side is odd, and for a shortcut of too few channels."""
    pair = 2 * lanes_of(dtype)
    if layer.source == "down" and layer.inputs % pair:
        raise InputError(f"layer {layer.name}: a shortcut to {layer.inputs} channels; here they must be a multiple of {pair}")
    if layer.taps == 1:
        return Shape(layer, lanes_of(dtype), 1, ROWS_AT_ONCE, 1)
    tile = next((m for m in (4, 2) if layer.side % m == 0), 0)
    if not tile:
        raise InputError(f"layer {layer.name}: the side of its image, {layer.side}, must be even")
    side = layer.side // tile
    if side * side <= TILES_AT_ONCE:
        return Shape(layer, lanes_of(dtype), tile, max(1, TILES_AT_ONCE // (side * side)), 1)
    rows = max(d for d in range(1, side + 1) if side % d == 0 and (d * side <= TILES_AT_ONCE or d == 1))
    return Shape(layer, lanes_of(dtype), tile, 1, side // rows)


def shard_size(model: Model, batch: int) -> int:
    """Images of one shard: a fixed number for a batch, whatever the number of threads."""
    unit = lcm(*(shape_of(layer, model.dtype).unit for layer in model.layers))
    return padded(-(-batch // SHARDS), unit)
