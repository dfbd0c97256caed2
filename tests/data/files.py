"""Small folders in the published layouts of CIFAR-10: ten images a file instead of ten thousand."""

import io
import pickle
import tarfile

import numpy as np
import pytest

from optlab.data import cifar10

NAMES = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
SMALL = 10


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", SMALL)


def records(seed=0):
    """File name -> (labels (n,), planes (n, 3072))."""
    rng = np.random.default_rng(seed)
    return {name: (rng.permutation(10).astype(np.uint8), rng.integers(0, 256, (SMALL, 3072), dtype=np.uint8)) for name in NAMES}


def binary(labels, planes):
    return b"".join(bytes([label]) + plane.tobytes() for label, plane in zip(labels, planes, strict=True))


def write_binary(folder, held):
    folder.mkdir(parents=True, exist_ok=True)
    for name, pair in held.items():
        (folder / f"{name}.bin").write_bytes(binary(*pair))
    return folder


def write_python(folder, held, protocol=2):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (labels, planes) in held.items():
        batch = {b"batch_label": b"some batch", b"labels": labels.tolist(), b"data": planes, b"filenames": [b"a.png"] * SMALL}
        (folder / name).write_bytes(pickle.dumps(batch, protocol))
    return folder


def archive(held, extra=()):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for member, content in [*((f"cifar-10-batches-bin/{name}.bin", binary(*pair)) for name, pair in held.items()), *extra]:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return out.getvalue()
