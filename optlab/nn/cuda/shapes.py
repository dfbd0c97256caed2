"""How the kernels of a layer are laid out on a device: tiles, strips, what a block stages, and how many threads it has."""

from __future__ import annotations

from dataclasses import dataclass

from optlab.errors import UnsupportedError
from optlab.nn.models import Layer

THREADS = 128  #: of a block of a convolution, about
SHARED = 40 * 1024  #: bytes that a block stages at most, of the 48 KiB that every device has
STRIP = 8  #: pixels of a row that a thread makes
PARTS = 128  #: shares of a batch whose gradients of the filters are summed apart
AT_ONCE = 32  #: numbers that are summed in working precision before they join a sum in float64
COLUMNS = 64  #: channels of a block that sums by channel


def strip_of(side: int) -> int:
    """Pixels of a thread's strip in a row of ``side`` pixels."""
    return next(n for n in (STRIP, 4, 2, 1) if side % n == 0)


def check_layer(layer: Layer) -> None:
    """Raise UnsupportedError for a convolution that has no CUDA kernel."""
    if layer.taps not in (1, 3) or (layer.taps == 3 and (layer.outputs % 4 or layer.side % layer.stride)):
        raise UnsupportedError(
            f"layer {layer.name}: a convolution on CUDA has 3 x 3 taps, output channels in fours and a side that its stride divides, "
            f"not {layer.taps} x {layer.taps}, {layer.outputs} and {layer.side}: run it with backend='cpu'"
        )


@dataclass(frozen=True)
class Convolved:
    """What a 3 x 3 convolution or its passing back reads and makes."""

    name: str
    depth: int  #: channels that are read
    made: int  #: channels that are made
    side: int  #: of the image that is read
    stride: int
    spread: int
    turned: bool

    @property
    def out(self) -> int:
        """The side of what is made."""
        return self.side * self.spread // self.stride


@dataclass(frozen=True)
class Stencil(Convolved):
    """The constants of a 3 x 3 convolution or of its passing back; see ``templates/cuda/stencil.py``."""

    bytes: int  #: of a number

    @property
    def rows(self) -> int:
        """Rows of one image in a block."""
        strips = max(1, THREADS // (self.made // 4))
        per_row = self.out // strip_of(self.out)
        return max(rows for rows in range(1, self.out + 1) if self.out % rows == 0 and (rows * per_row <= strips or rows == 1))

    @property
    def images(self) -> int:
        """Images of a block."""
        strips, own = max(1, THREADS // (self.made // 4)), self.rows * (self.out // strip_of(self.out))
        return max(1, strips // own) if self.rows == self.out else 1

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.images * self.rows * (self.out // strip_of(self.out)) * (self.made // 4)

    @property
    def tile_rows(self) -> int:
        """Rows that one image's part of a block reads."""
        return self.stride * (self.rows - 1) + 3

    @property
    def pitch(self) -> int:
        """Columns that it reads."""
        return self.stride * (self.out - 1) + 3

    @property
    def plane(self) -> int:
        """Numbers from one staged channel to the next: odd, lest channels share banks."""
        return self.images * self.tile_rows * self.pitch | 1

    @property
    def chunk(self) -> int:
        """Channels that are staged at a time."""
        fits = [c for c in (16, 12, 8, 4) if self.depth % c == 0 and c * (self.plane + 9 * self.made) * self.bytes <= SHARED]
        return fits[0] if fits else next(c for c in (3, 2, 1) if self.depth % c == 0)

    def blocks(self, images: int) -> int:
        """Blocks for so many images."""
        return -(-images // self.images) * (self.out // self.rows)

    def constants(self) -> dict[str, object]:
        """Every number that the template uses."""
        together = 4 if self.chunk % 4 == 0 and self.depth % 4 == 0 else 1
        staged = self.images * self.tile_rows * self.pitch * self.chunk // together
        filters = 9 * self.chunk * self.made // (1 if self.turned else 4)
        values: dict[str, object] = {
            "DEPTH": self.depth, "MADE": self.made, "SIDE": self.side, "STRIDE": self.stride, "SPREAD": self.spread, "TURNED": self.turned,
            "OUT": self.out, "ROWS": self.rows, "IMAGES": self.images, "THREADS": self.threads, "TILE_ROWS": self.tile_rows,
            "PITCH": self.pitch, "PLANE": self.plane, "CHUNK": self.chunk, "STRIP": strip_of(self.out), "SIDE_BY_SIDE": together,
            "STAGED": staged, "STAGED_FILTERS": filters,
        }  # fmt: skip
        return {f"{self.name}_{key}": value for key, value in values.items()}


def forward_of(layer: Layer, size: int) -> Stencil:
    """The forward pass of a convolution; ``size`` is the bytes of a number."""
    return Stencil("forward", layer.inputs, layer.outputs, layer.side, layer.stride, 1, False, size)


def back_data_of(layer: Layer, size: int) -> Stencil:
    """What passes back to its input."""
    return Stencil("back_data", layer.outputs, layer.inputs, layer.side_after, 1, layer.stride, True, size)


@dataclass(frozen=True)
class FilterGradient:
    """The constants of the gradient of a convolution's filters; see ``templates/cuda/filter_gradient.py``."""

    layer: Layer
    bytes: int

    @property
    def grain(self) -> int:
        """Input channels of a block."""
        return next(c for c in (16, 12, 8, 4, 3, 2, 1) if self.layer.inputs % c == 0)

    @property
    def rows(self) -> int:
        """Rows of the output that are staged at a time."""
        out = self.layer.side_after
        return max(r for r in range(1, out + 1) if out % r == 0 and (self._bytes(r) <= SHARED // 2 or r == 1))

    def _bytes(self, rows: int) -> int:
        s, out = self.layer.stride, self.layer.side_after
        return (self.grain * (s * (rows - 1) + 3) * (s * (out - 1) + 3) + rows * out * self.layer.outputs) * self.bytes

    @property
    def groups(self) -> int:
        """Threads that share a thread's sums."""
        strips = self.rows * (self.layer.side_after // strip_of(self.layer.side_after))
        return max(1, min(strips, THREADS // (self.grain * self.layer.outputs // 4)))

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.groups * self.grain * self.layer.outputs // 4

    def constants(self) -> dict[str, object]:
        """Every number that the template uses."""
        layer, s, out = self.layer, self.layer.stride, self.layer.side_after
        tile_rows, pitch = s * (self.rows - 1) + 3, s * (out - 1) + 3
        return {
            "C": layer.inputs, "K": layer.outputs, "H": layer.side, "OUT": out, "STRIDE": s, "GRAIN": self.grain, "ROWS": self.rows,
            "TILE_ROWS": tile_rows, "PITCH": pitch, "PLANE": tile_rows * pitch | 1, "STRIP": strip_of(out), "GROUPS": self.groups,
            "THREADS": self.threads, "SIDE_BY_SIDE": 4 if self.grain % 4 == 0 and layer.inputs % 4 == 0 else 1,
            "SPARE": self.grain * layer.outputs // 4 * 36 if self.groups > 1 else 1,
        }  # fmt: skip


@dataclass(frozen=True)
class Product:
    """The constants of one product of a linear layer; see ``templates/cuda/product.py``."""

    name: str
    columns: int
    a: tuple[int, int]  #: numbers from one row to the next, and along the sum
    b: tuple[int, int]  #: numbers along the sum, and from one column to the next

    @property
    def across(self) -> int:
        """Columns of a block."""
        return 32 if self.columns > 16 else 16

    @property
    def tile(self) -> int:
        """Rows of a block."""
        return 32

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.tile * self.across // 16

    def blocks(self, rows: int) -> tuple[int, int]:
        """Blocks across and down."""
        return -(-self.columns // self.across), -(-rows // self.tile)

    def constants(self) -> dict[str, object]:
        """Every number that the template uses."""
        values = {
            "COLUMNS": self.columns, "A_ROW": self.a[0], "A_STEP": self.a[1], "B_STEP": self.b[0], "B_COLUMN": self.b[1],
            "ACROSS": self.across, "TILE": self.tile, "THREADS": self.threads,
        }  # fmt: skip
        return {f"{self.name}_{key}": value for key, value in values.items()}


def products_of(layer: Layer) -> dict[str, Product]:
    """The three products of a linear layer of so many inputs and outputs: forward, passed back, gradient of the weights."""
    c, k = layer.inputs, layer.outputs
    made = [
        Product("forward", k, (c, 1), (k, 1)), Product("back_data", c, (k, 1), (1, k)), Product("back_weights", k, (1, c), (k, 1)),
    ]  # fmt: skip
    return {product.name: product for product in made}


@dataclass(frozen=True)
class Columns:
    """How a block that sums by channel is laid out."""

    channels: int

    @property
    def columns(self) -> int:
        """Channels of a block."""
        return min(self.channels, COLUMNS)

    @property
    def groups(self) -> int:
        """Threads to a channel."""
        return max(1, 2 * THREADS // self.columns)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.columns * self.groups

    def parts(self, rows: int) -> int:
        """Blocks among which so many rows are divided: at least ``AT_ONCE`` rows to a thread where there are that many."""
        return max(1, min(4 * PARTS, rows // (self.groups * AT_ONCE)))

    @property
    def across(self) -> int:
        """Blocks side by side."""
        return -(-self.channels // self.columns)
