"""Data to train on: the CIFAR-10 files, a small synthetic set of images, tables of numbers; their splits and their batches."""

from __future__ import annotations

from optlab.registry import late

__getattr__ = late(
    __name__,
    {
        "optlab.data.batches": "ImageBatches",
        "optlab.data.catalog": "get names",
        "optlab.data.cifar10": "read_cifar10",
        "optlab.data.fetch": "fetch_cifar10",
        "optlab.data.images": "ImageData Images",
        "optlab.data.textures": "synthetic",
        "optlab.data.tables": "Table read_table",
    },
)

__all__ = ["ImageBatches", "ImageData", "Images", "Table", "fetch_cifar10", "get", "names", "read_cifar10", "read_table", "synthetic"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
