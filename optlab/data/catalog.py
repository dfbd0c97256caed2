"""Data by name: what ``data=`` and ``--data`` may say."""

from __future__ import annotations

import os
from typing import Any

from optlab.calls import parse_call
from optlab.data.cifar10 import read_cifar10
from optlab.data.images import ImageData
from optlab.data.textures import synthetic
from optlab.errors import InputError, UnknownNameError

_NAMES = ("cifar10", "synthetic")


def names() -> list[str]:
    """The names of images that ``get`` knows."""
    return list(_NAMES)


def get(data: str | ImageData, *, folder: str | os.PathLike[str] | None = None, label: str | None = None) -> ImageData:
    """The images of this name.

    Parameters
    ----------
    data
        ``"cifar10"``, ``"synthetic"``, a call such as ``"synthetic(training=2000, seed=1)"``, or the images themselves.
    folder
        Where the files of ``cifar10`` are (default: ``$OPTLAB_DATA``).
    label
        What results are labeled with, if not the name of the images.

    Raises UnknownNameError, or InputError naming the file and what is wrong with it.

    >>> get("synthetic(training=20, test=10, size=8)").name
    'synthetic textures (8 x 8)'
    """
    if isinstance(data, ImageData):
        return data
    if not isinstance(data, str):
        raise InputError(f"data = {data!r} is no data: give 'cifar10', 'synthetic' or images")
    head, options, positional = parse_call(data)
    if head not in _NAMES:
        raise UnknownNameError("data", head, _NAMES)
    if positional or (head == "cifar10" and options):
        raise InputError(f"data {data!r}: options go by name, such as synthetic(training=2000), and cifar10 has none")
    if head == "cifar10":
        return read_cifar10(folder, label=label)
    made = _made(data, options)
    return made if label is None else ImageData(label, made.training, made.test, made.classes)


def _made(data: str, options: dict[str, Any]) -> ImageData:
    try:
        return synthetic(**options)
    except TypeError as error:
        raise InputError(f"data {data!r}: {str(error).replace('()', '')}; it takes training, test, size and seed") from None
