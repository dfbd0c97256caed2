"""The CIFAR-10 files as they are published: the binary layout and the python layout, found in a folder and checked as they are read.

A. Krizhevsky, Learning multiple layers of features from tiny images, 2009; https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from optlab.data.images import ImageData, Images
from optlab.data.pickles import read_pickle
from optlab.errors import InputError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORDS = 10_000  #: images in each file
PIXELS = 3 * 32 * 32
TRAINING = tuple(f"data_batch_{k}" for k in range(1, 6))
TEST = "test_batch"
FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")  #: as the archives name them
MEND = "get the files with: optlab data fetch cifar10 --data-dir DIR"


def read_cifar10(folder: str | os.PathLike[str] | None = None, *, label: str | None = None) -> ImageData:
    """The 50,000 training and 10,000 test images.

    Parameters
    ----------
    folder
        Where the files are: the folder itself or the one that holds ``cifar-10-batches-bin`` or ``cifar-10-batches-py``
        (default: ``$OPTLAB_DATA``).
    label
        What results made with these images are labeled with (default: CIFAR-10). Say so if the files are not the official ones.

    Raises
    ------
    InputError
        One line that names the folder or file, what was found and what was expected.
    """
    where, extension = locate(folder)
    read = read_binary if extension else read_python
    pixels, labels = np.empty((len(TRAINING) * RECORDS, 32, 32, 3), np.uint8), np.empty(len(TRAINING) * RECORDS, np.uint8)

    def into_place(k: int) -> None:
        part = read(where / f"{TRAINING[k]}{extension}")
        pixels[k * RECORDS : (k + 1) * RECORDS], labels[k * RECORDS : (k + 1) * RECORDS] = part.pixels, part.labels

    with ThreadPoolExecutor(2) as pool:  # reading and turning bytes let go of the interpreter; the whole is in memory once
        deque(pool.map(into_place, range(len(TRAINING))), maxlen=0)
        test = read(where / f"{TEST}{extension}")
    return ImageData(label or "CIFAR-10", Images(pixels, labels), test, CLASSES)


def locate(folder: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """The folder of the files and their extension: ``.bin`` or none. Raises InputError saying what is missing."""
    if folder is None:
        folder = os.environ.get("OPTLAB_DATA") or None
        if folder is None:
            raise InputError(f"where are the CIFAR-10 files? Name their folder with --data-dir (or OPTLAB_DATA), or {MEND}")
    asked = Path(folder).expanduser()
    if not asked.is_dir():
        raise InputError(f"{asked}: {'this is a file, not a folder' if asked.exists() else 'there is no such folder'}; {MEND}")
    best: tuple[int, Path, str] = (0, asked, ".bin")
    for place in (asked, *(asked / name for name in FOLDERS)):
        for extension in (".bin", ""):
            found = sum((place / f"{name}{extension}").is_file() for name in (*TRAINING, TEST))
            if found > best[0]:
                best = found, place, extension
    found, place, extension = best
    if not found:
        other = next((name for name in ("train.bin", "train", "cifar-100-binary", "cifar-100-python") if (asked / name).exists()), None)
        hint = f" ({other} looks like CIFAR-100)" if other else ""
        packed = next(asked.glob("cifar-10-*.tar.gz"), None)
        mend = f"unpack {packed.name} there: tar xzf {packed.name}" if packed is not None and not hint else MEND
        raise InputError(f"{asked}: no CIFAR-10 files here{hint}: expected data_batch_1.bin ... or {FOLDERS[0]}/; {mend}")
    missing = [f"{name}{extension}" for name in (*TRAINING, TEST) if not (place / f"{name}{extension}").is_file()]
    if missing:
        raise InputError(f"{place / missing[0]}: the file is missing ({found} of 6 are there); {MEND}")
    return place, extension


def read_binary(path: Path) -> Images:
    """One file of the binary layout: records of a label byte and 1,024 red, 1,024 green, 1,024 blue bytes.

    Raises InputError naming the file and what was expected.
    """
    size = 1 + PIXELS
    try:
        found = path.stat().st_size
        if found != RECORDS * size:
            short = "truncated: download it again" if found < RECORDS * size and found else "not a CIFAR-10 batch"
            short = "it is CIFAR-100, not CIFAR-10" if found in (RECORDS * (size + 1), 5 * RECORDS * (size + 1)) else short
            raise InputError(f"{path}: {found:,} bytes where {RECORDS * size:,} are expected ({RECORDS:,} records of {size:,}); {short}")
        records = np.fromfile(path, np.uint8).reshape(-1, size)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a folder that you may read") from None
    return _images(path, records[:, 0], records[:, 1:])


def read_python(path: Path) -> Images:
    """One file of the python layout: a pickle of ``data`` (n, 3072) and ``labels``. Nothing in it is executed.

    Raises InputError naming the file and what was expected.
    """
    found = read_pickle(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds a {type(found).__name__} where a dictionary with data and labels is expected")
    held = {key.decode("ascii", "replace") if isinstance(key, bytes) else str(key): value for key, value in found.items()}
    if "fine_labels" in held:
        raise InputError(f"{path}: it is CIFAR-100, not CIFAR-10; {MEND}")
    lacking = [key for key in ("data", "labels") if key not in held]
    if lacking:
        raise InputError(f"{path}: no {lacking[0]!r} in it (only {', '.join(sorted(held)[:6])}); this is no CIFAR-10 batch")
    data, labels = held["data"], held["labels"]
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (RECORDS, PIXELS):
        kind = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise InputError(f"{path}: data is {kind} where uint8 ({RECORDS}, {PIXELS}) is expected; this is no CIFAR-10 batch")
    whole = isinstance(labels, (list, np.ndarray)) and all(isinstance(v, (int, np.integer)) and 0 <= v <= 255 for v in labels)
    if not whole or len(labels) != RECORDS:
        raise InputError(f"{path}: labels is no list of {RECORDS:,} whole numbers from 0 to 9; this is no CIFAR-10 batch")
    return _images(path, np.array(labels, np.uint8), data)


def _images(path: Path, labels: np.ndarray, planes: np.ndarray) -> Images:
    if int(labels.max()) >= len(CLASSES):
        row = int(np.argmax(labels >= len(CLASSES)))
        raise InputError(f"{path}: record {row:,} has label {labels[row]}, and labels are 0 to 9; this is no CIFAR-10 batch")
    pixels = np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Images(pixels, labels.copy())
