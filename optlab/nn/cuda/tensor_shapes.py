"""How the convolutions in bfloat16 are laid out: the tiles that a block stages, and what each of its warps multiplies."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.errors import UnsupportedError
from optlab.nn.cuda.shapes import SHARED, Convolved
from optlab.nn.models import Layer, Model

ROWS, DEEP = 16, 16  #: rows of the left factor, and numbers along the sum, of one product on tensor cores
WARPS = 4  #: of a block of a convolution
SIDE_BY_SIDE = 8  #: bfloat16 numbers that are read together
APART = 8  #: numbers between the channels of one pixel and the next in shared memory: eight rows of a matrix then lie in different banks
WIDEST = 64  #: channels


def padded(channels: int) -> int:
    """Channels with the zeros that fill the last product."""
    return -(-channels // DEEP) * DEEP


def check_bf16(model: Model) -> None:
    """Raise UnsupportedError for a model that bfloat16 kernels are not made for."""
    if model.dtype != "float32":
        raise UnsupportedError(f"precision = 'bf16' keeps float32 weights, and model {model.name} is {model.dtype}: give dtype='float32'")
    convolutions = [layer for layer in model.layers if layer.taps == 3]
    if not convolutions:
        raise UnsupportedError(f"precision = 'bf16' is for 3 x 3 convolutions, and model {model.name} has none: give precision='full'")
    for layer in convolutions:
        if layer.outputs % 8 or layer.outputs > WIDEST or layer.side > 128:
            raise UnsupportedError(
                f"layer {layer.name}: with precision = 'bf16' a convolution has output channels in eights, at most {WIDEST}, "
                f"on images of at most 128 pixels, not {layer.outputs} on {layer.side}: give precision='full'"
            )


@dataclass(frozen=True)
class Tiles(Convolved):
    """The constants of a 3 x 3 convolution or of its passing back; see ``templates/cuda/tensor_stencil.py``."""

    @property
    def strips(self) -> int:
        """Stretches of 16 pixels that a warp makes."""
        return 2 if self.out**2 > WARPS * ROWS else 1

    @property
    def most(self) -> int:
        """Pixels that a block can make."""
        return WARPS * ROWS * self.strips

    @property
    def rows(self) -> int:
        """Rows of one image in a block."""
        return max(r for r in range(1, self.out + 1) if self.out % r == 0 and (r * self.out <= self.most or r == 1))

    @property
    def images(self) -> int:
        """Images of a block."""
        return max(1, self.most // self.out**2) if self.rows == self.out else 1

    @property
    def tile_rows(self) -> int:
        """Rows that one image's part of a block reads."""
        return self.stride * (self.rows - 1) + 3

    @property
    def pitch(self) -> int:
        """Columns that it reads."""
        return self.stride * (self.out - 1) + 3

    def sizes(self, chunk: int) -> tuple[int, int]:
        """Numbers of the staged input and of the staged filters, of so many channels at a time."""
        across = padded(self.made)
        filters = 9 * across * (chunk + APART) if self.turned else 9 * chunk * (across + APART)
        return self.images * self.tile_rows * self.pitch * (chunk + APART), filters

    @property
    def chunk(self) -> int:
        """Channels that are staged at a time."""
        return 2 * DEEP if padded(self.depth) % (2 * DEEP) == 0 and 2 * sum(self.sizes(2 * DEEP)) <= SHARED else DEEP

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * WARPS

    def blocks(self, images: int) -> int:
        """Blocks for so many images."""
        return -(-images // self.images) * (self.out // self.rows)

    def constants(self) -> dict[str, object]:
        """Every number that the template uses."""
        together = SIDE_BY_SIDE if self.depth % SIDE_BY_SIDE == 0 else 1
        stage, filters = self.sizes(self.chunk)
        values: dict[str, object] = {
            "DEPTH": self.depth, "MADE": self.made, "ACROSS": padded(self.made), "SIDE": self.side, "STRIDE": self.stride,
            "SPREAD": self.spread, "TURNED": self.turned, "OUT": self.out, "ROWS": self.rows, "IMAGES": self.images,
            "THREADS": self.threads, "TILE_ROWS": self.tile_rows, "PITCH": self.pitch, "CHUNK": self.chunk, "DEEP": padded(self.depth),
            "STRIPS": self.strips, "PIXELS": self.images * self.rows * self.out, "SIDE_BY_SIDE": together, "STAGE": stage,
            "FILTERS": filters, "PIXEL": self.chunk + APART, "ROW": (self.chunk if self.turned else padded(self.made)) + APART,
        }  # fmt: skip
        return {f"{self.name}_{key}": value for key, value in values.items()}


def forward_tiles(layer: Layer) -> Tiles:
    """The forward pass of a convolution."""
    return Tiles("forward", layer.inputs, layer.outputs, layer.side, layer.stride, 1, False)


def back_data_tiles(layer: Layer) -> Tiles:
    """What passes back to its input."""
    return Tiles("back_data", layer.outputs, layer.inputs, layer.side_after, 1, layer.stride, True)


@dataclass(frozen=True)
class FilterTiles:
    """The constants of the gradient of a convolution's filters; see ``templates/cuda/tensor_filter_gradient.py``."""

    layer: Layer

    @property
    def columns(self) -> int:
        """Stretches of 16 output channels, each a warp's."""
        return padded(self.layer.outputs) // ROWS

    @property
    def groups(self) -> int:
        """Warps that share those sums and take turns at the pixels."""
        return {1: 8, 2: 4}.get(self.columns, 1)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.groups * self.columns

    @property
    def grains(self) -> int:
        """Stretches of 16 input channels, each a block's."""
        return padded(self.layer.inputs) // ROWS

    @property
    def spare(self) -> int:
        """Numbers that warps hand one another."""
        return 72 * 32 * self.columns if self.groups > 1 else 1

    def sizes(self, rows: int) -> tuple[int, int]:
        """Numbers of the staged input and of the staged gradient, of so many rows of the output at a time."""
        s, out = self.layer.stride, self.layer.side_after
        pixels = -(-rows * out // DEEP) * DEEP
        return (s * (rows - 1) + 3) * (s * (out - 1) + 3) * (DEEP + APART), pixels * (padded(self.layer.outputs) + APART)

    @property
    def rows(self) -> int:
        """Rows of the output that are staged at a time."""
        out, room = self.layer.side_after, SHARED - 4 * self.spare
        return max(r for r in range(1, out + 1) if out % r == 0 and (2 * sum(self.sizes(r)) <= room or r == 1))

    def constants(self) -> dict[str, object]:
        """Every number that the template uses."""
        layer, s, out = self.layer, self.layer.stride, self.layer.side_after
        stage, slopes = self.sizes(self.rows)
        return {
            "C": layer.inputs, "K": layer.outputs, "ACROSS": padded(layer.outputs), "H": layer.side, "OUT": out, "STRIDE": s,
            "ROWS": self.rows, "TILE_ROWS": s * (self.rows - 1) + 3, "PITCH": s * (out - 1) + 3, "GRAIN": DEEP, "PIXEL": DEEP + APART,
            "ROW": padded(layer.outputs) + APART, "COLUMNS": self.columns, "GROUPS": self.groups, "THREADS": self.threads,
            "STEPS": -(-self.rows * out // DEEP), "SIDE_BY_SIDE": SIDE_BY_SIDE if layer.inputs % SIDE_BY_SIDE == 0 else 1,
            "STAGE": stage, "SLOPES": slopes, "SPARE": self.spare,
        }  # fmt: skip


__all__ = ["FilterTiles", "Tiles", "back_data_tiles", "check_bf16", "forward_tiles", "padded"]
