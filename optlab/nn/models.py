"""Models as records: what is computed, in which order, and how large it is. They hold no numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from optlab.errors import InputError

Source = Literal["images", "active", "first", "same", "down", "pooled"]


@dataclass(frozen=True)
class Layer:
    """A convolution of ``taps`` x ``taps`` (a linear layer is one of 1 x 1 on an image of one pixel), then its norm.

    ``source`` says what its input is: the ``images``; the rectified norm of the layer before (``active``); the same where a block
    begins (``first``); the same with a shortcut added before the rectifier: the last block's input as it is (``same``), or with half
    the pixels and new channels of zero (``down``); or the mean over pixels of such a sum (``pooled``).
    """

    name: str
    inputs: int
    outputs: int
    side: int = 1  #: of the input image
    taps: int = 1
    stride: int = 1
    norm: str = "none"  #: batch, layer, rms, or none: a learned shift
    source: Source = "active"

    @property
    def weights(self) -> int:
        """Numbers in the filter."""
        return self.taps**2 * self.inputs * self.outputs

    @property
    def side_after(self) -> int:
        """Of the output image."""
        return self.side // self.stride

    @property
    def multiply_adds(self) -> int:
        """For one image, by the definition of the convolution."""
        return self.weights * self.side_after**2


@dataclass(frozen=True)
class Model:
    """A model: its layers in order and its objective.

    ``parameter_count`` counts learned numbers, ``multiply_adds`` those of one image's forward pass (convolutions and linear layers).

    >>> from optlab import nn
    >>> model = nn.resnet20()
    >>> model.parameter_count, round(model.multiply_adds / 1e6, 2)
    (269722, 40.55)
    """

    name: str
    layers: tuple[Layer, ...]
    objective: str = "softmax_cross_entropy"
    dtype: str = "float32"
    start: str = "he_normal"  #: of the weights; "zero" for linear models

    @property
    def parameter_count(self) -> int:
        """Learned numbers: filters, and each norm's parameters."""
        return sum(layer.weights + layer.outputs * NORM_PARAMETERS[layer.norm] for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one image's forward pass."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Of one input: (side, side, channels), or (features,)."""
        first = self.layers[0]
        return (first.inputs,) if first.side == 1 else (first.side, first.side, first.inputs)

    @property
    def outputs(self) -> int:
        """Classes, or numbers that are predicted."""
        return self.layers[-1].outputs


NORM_PARAMETERS = {"batch": 2, "layer": 2, "rms": 1, "none": 1}


def _checked(norm: str, dtype: str, **counts: int) -> None:
    if norm not in NORM_PARAMETERS:
        raise InputError(f"norm = {norm!r} is none of {', '.join(NORM_PARAMETERS)}")
    if dtype not in ("float32", "float64"):
        raise InputError(f"dtype = {dtype!r} is neither 'float32' nor 'float64'")
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise InputError(f"{name} = {count!r} must be a whole number of at least 1")


def linear(*, features: int, outputs: int = 1, dtype: str = "float32") -> Model:
    """Linear regression on ``features`` numbers: half the squared error, weights that start from zero.

    >>> linear(features=3).parameter_count
    4
    """
    _checked("none", dtype, features=features, outputs=outputs)
    return Model("linear", (Layer("output", features, outputs, source="images"),), "squared_error", dtype, "zero")


def logistic(*, features: int, classes: int = 10, dtype: str = "float32") -> Model:
    """Softmax regression on ``features`` numbers, weights that start from zero.

    >>> logistic(features=3072).parameter_count
    30730
    """
    _checked("none", dtype, features=features, classes=classes)
    return Model("logistic", (Layer("output", features, classes, source="images"),), dtype=dtype, start="zero")


def mlp(*, features: int, hidden: tuple[int, ...] = (256, 256), classes: int = 10, norm: str = "none", dtype: str = "float32") -> Model:
    """A multilayer perceptron: linear layers, each with its norm and a rectifier, and a linear one that gives the logits.

    >>> mlp(features=784, hidden=(100,)).parameter_count
    79510
    """
    _checked(norm, dtype, features=features, classes=classes, **{f"hidden[{i}]": width for i, width in enumerate(hidden)})
    widths = (features, *hidden)
    layers = [Layer(f"hidden{i}", a, b, norm=norm, source="active" if i else "images") for i, (a, b) in enumerate(pairwise(widths))]
    return Model("mlp", (*layers, Layer("output", widths[-1], classes, source="active" if hidden else "images")), dtype=dtype)


def resnet(
    depth: int, *, norm: str = "batch", classes: int = 10, dtype: str = "float32", side: int = 32, width: int = 16
) -> Model:  # fmt: skip
    """The residual network of ``depth`` = 6 n + 2 layers for small images (He et al., CVPR 2016, section 4.2).

    Three stages of n blocks with 16, 32 and 64 channels (``width`` of them in the first stage, twice as many in the next); shortcuts
    without parameters (option A: where a stage begins, every other pixel, the new channels zero). Images are ``side`` pixels wide, a
    multiple of 16, of three channels.

    >>> [resnet(depth).parameter_count for depth in (8, 20, 32, 44, 56)]
    [75290, 269722, 464154, 658586, 853018]
    >>> resnet(8, side=16, width=8).parameter_count
    19218
    """
    _checked(norm, dtype, classes=classes, width=width)
    if depth not in (8, 14, 20, 26, 32, 38, 44, 50, 56, 110):
        raise InputError(f"depth = {depth!r} must be 6 n + 2: 8, 20, 32, 44, 56, ...")
    if side % 16 or side < 16:
        raise InputError(f"side = {side!r} must be a multiple of 16")
    layers = [Layer("stem", 3, width, side, 3, norm=norm, source="images")]
    source: Source = "first"
    channels = width
    for stage in range(3):
        for block in range((depth - 2) // 6):
            down = stage > 0 and block == 0
            outputs, at = width << stage, side >> (stage - down)
            name = f"stage{stage + 1}.block{block + 1}"
            layers.append(Layer(f"{name}.conv1", channels, outputs, at, 3, 2 if down else 1, norm, source))
            layers.append(Layer(f"{name}.conv2", outputs, outputs, side >> stage, 3, norm=norm))
            source, channels = "down" if down else "same", outputs
    layers.append(Layer("output", channels, classes, source="pooled"))
    return Model(f"resnet{depth}", tuple(layers), dtype=dtype)


def resnet8(*, norm: str = "batch", dtype: str = "float32") -> Model:
    """ResNet-8 for 32 x 32 images: see :func:`resnet`."""
    return resnet(8, norm=norm, dtype=dtype)


def resnet20(*, norm: str = "batch", dtype: str = "float32") -> Model:
    """ResNet-20 for 32 x 32 images: see :func:`resnet`."""
    return resnet(20, norm=norm, dtype=dtype)


def resnet32(*, norm: str = "batch", dtype: str = "float32") -> Model:
    """ResNet-32 for 32 x 32 images: see :func:`resnet`."""
    return resnet(32, norm=norm, dtype=dtype)


def resnet44(*, norm: str = "batch", dtype: str = "float32") -> Model:
    """ResNet-44 for 32 x 32 images: see :func:`resnet`."""
    return resnet(44, norm=norm, dtype=dtype)


def resnet56(*, norm: str = "batch", dtype: str = "float32") -> Model:
    """ResNet-56 for 32 x 32 images: see :func:`resnet`."""
    return resnet(56, norm=norm, dtype=dtype)
