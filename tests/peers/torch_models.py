"""optlab's models written in PyTorch, with their weights copied: what the peers' tests and the benchmark hold optlab against."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class LastAxis(nn.Module):
    """Layer or RMS normalization over the channels of each pixel."""

    def __init__(self, kind, channels):
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if kind == "layer" else None

    def forward(self, x):
        x, shape = x.movedim(1, -1), self.weight.shape
        if self.kind == "layer":
            y = functional.layer_norm(x, shape, self.weight, self.bias, 1e-5)
        else:
            y = functional.rms_norm(x, shape, self.weight, 1e-5)
        return y.movedim(-1, 1)


class Shift(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return x + self.bias.reshape(1, -1, *[1] * (x.ndim - 2))


def norm(kind, channels, rows=False):
    if kind == "batch":
        return nn.BatchNorm1d(channels) if rows else nn.BatchNorm2d(channels)
    return Shift(channels) if kind == "none" else LastAxis(kind, channels)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, kind):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm(kind, outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), norm(kind, outputs)
        self.stride, self.more = stride, outputs - inputs

    def forward(self, x):
        y = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        if self.stride == 2:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))
        return functional.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, depth, kind="batch", classes=10):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 3, 1, 1, bias=False), norm(kind, 16)
        blocks, channels = [], 16
        for stage, width in enumerate((16, 32, 64)):
            for block in range((depth - 2) // 6):
                blocks.append(Block(channels, width, 2 if stage and not block else 1, kind))
                channels = width
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, classes)

    def forward(self, x):
        return self.linear(self.blocks(functional.relu(self.norm(self.conv(x)))).mean((2, 3)))


class Perceptron(nn.Module):
    def __init__(self, features, hidden, classes, kind="none"):
        super().__init__()
        widths = (features, *hidden)
        self.hidden = nn.ModuleList(nn.Sequential(nn.Linear(a, b, bias=False), norm(kind, b, rows=True)) for a, b in pairwise(widths))
        self.linear = nn.Linear(widths[-1], classes)

    def forward(self, x):
        for layer in self.hidden:
            x = functional.relu(layer(x))
        return self.linear(x)


def in_order(module):
    """The parameters in the order of optlab's names: each layer's filter, then what its norm or shift learns."""
    return list(module.parameters())


def to_torch(name, array):
    """An array of optlab's under PyTorch's order of axes."""
    if name.endswith(".weight"):
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
    return torch.from_numpy(array.copy())


def copied(module, trainer):
    """The module with the trainer's parameters, in its dtype."""
    named = trainer.named()
    module = module.to(torch.float64 if trainer.model.dtype == "float64" else torch.float32)
    with torch.no_grad():
        for parameter, (name, array) in zip(in_order(module), named.items(), strict=True):
            parameter.copy_(to_torch(name, array))
    return module
