"""The published files: both layouts give the same images, every defect gives one line that names the file."""

import contextlib
import os
import pickle

import numpy as np
import pytest

import optlab.data as data
from optlab.data import cifar10
from optlab.errors import InputError
from tests.data.files import NAMES, SMALL, records, small, write_binary, write_python

__all__ = ["small"]
pytestmark = pytest.mark.usefixtures("small")


def message(folder, **options):
    with pytest.raises(InputError) as caught:
        data.read_cifar10(folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_the_binary_layout(tmp_path, inside):
    held = records()
    write_binary(tmp_path / inside, held)
    found = data.read_cifar10(tmp_path)
    assert found.shape == (32, 32, 3)
    assert found.name == "CIFAR-10"
    assert len(found.training) == 5 * SMALL
    assert found.classes[int(found.training.labels[3])] == cifar10.CLASSES[held["data_batch_1"][0][3]]
    labels, planes = held["data_batch_2"]
    for k in range(SMALL):
        for channel in range(3):  # 1024 bytes of each color, row by row
            expected = planes[k, 1024 * channel : 1024 * (channel + 1)].reshape(32, 32)
            np.testing.assert_array_equal(found.training.pixels[SMALL + k, :, :, channel], expected)
    np.testing.assert_array_equal(found.training.labels[SMALL : 2 * SMALL], labels)
    np.testing.assert_array_equal(found.test.labels, held["test_batch"][0])


@pytest.mark.parametrize("protocol", range(6))
def test_the_python_layout_gives_the_same(tmp_path, protocol):
    held = records()
    one = data.read_cifar10(write_binary(tmp_path / "a", held))
    two = data.read_cifar10(write_python(tmp_path / "b", held, protocol))
    assert one.fingerprint == two.fingerprint


def test_a_pickle_of_python_2(tmp_path):
    """The published files were written by Python 2: texts are byte strings there, the array's content too."""
    held = records()
    folder = write_python(tmp_path, held)
    for name, (labels, planes) in held.items():
        content = b"\x80\x02}q\x00(U\x06labelsq\x01]q\x02(" + b"".join(b"K" + bytes([label]) for label in labels) + b"eU\x04dataq\x03"
        content += b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85U\x01b\x87Rq\x06(K\x01K\x0aM\x00\x0c\x86"
        content += b"cnumpy\ndtype\nq\x07U\x02u1K\x00K\x01\x87Rq\x08(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        content += len(planes.tobytes()).to_bytes(4, "little") + planes.tobytes() + b"tbu."
        (folder / name).write_bytes(content)
    assert data.read_cifar10(folder).fingerprint == data.read_cifar10(write_binary(tmp_path / "b", held)).fingerprint


def test_the_folder_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OPTLAB_DATA", str(write_binary(tmp_path, records())))
    assert len(data.get("cifar10").test) == SMALL
    monkeypatch.delenv("OPTLAB_DATA")
    assert "--data-dir" in message(None)


def test_the_label_is_the_users(tmp_path):
    write_binary(tmp_path, records())
    assert data.get("cifar10", folder=tmp_path, label="CIFAR-10, smaller").name == "CIFAR-10, smaller"


def test_missing_folders_and_files(tmp_path):
    assert "no such folder" in message(tmp_path / "nowhere")
    assert "no CIFAR-10 files here" in message(tmp_path)
    (tmp_path / "train.bin").write_bytes(b"")
    assert "CIFAR-100" in message(tmp_path)
    assert "a file, not a folder" in message(tmp_path / "train.bin")
    write_binary(tmp_path, records())
    (tmp_path / "data_batch_4.bin").unlink()
    assert f"{tmp_path / 'data_batch_4.bin'}: the file is missing (5 of 6 are there)" in message(tmp_path)


def test_an_archive_that_was_not_unpacked(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"")
    assert "tar xzf cifar-10-binary.tar.gz" in message(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x00" * 1000, "1,000 bytes where 30,730 are expected (10 records of 3,073); truncated"),
        (b"", "0 bytes where 30,730"),
        (b"\x00" * 30740, "CIFAR-100"),
        (b"\x00" * 50000, "not a CIFAR-10 batch"),
        ((b"\x00" * 3073) * 4 + b"\x0b" + b"\x00" * (3072 + 3073 * 5), "record 4 has label 11, and labels are 0 to 9"),
    ],
)
def test_truncated_and_foreign_binary_files(tmp_path, content, says):
    write_binary(tmp_path, records())
    bad = tmp_path / "data_batch_3.bin"
    bad.write_bytes(content)
    assert message(tmp_path).startswith(f"{bad}: ")
    assert says in message(tmp_path)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


GOOD = {"labels": [0] * SMALL, "data": np.zeros((SMALL, 3072), np.uint8)}
FOREIGN = {
    "code": (pickle.dumps(Evil()), "names posix.mkdir"),
    "code inside": (pickle.dumps(GOOD | {"more": Evil()}), "names posix.mkdir"),
    "eval": (b"c__builtin__\neval\n(S'1'\ntR.", "names __builtin__.eval"),
    "another numpy function": (b"cnumpy\nload\n(S'x'\ntR.", "names numpy.load"),
    "cut": (pickle.dumps(GOOD)[:-5000], "truncated"),
    "empty": (b"", "truncated"),
    "text": (b"hello, this is a text\n", "no pickle"),
    "a list": (pickle.dumps([1, 2]), "holds a list"),
    "no labels": (pickle.dumps({"data": GOOD["data"]}), "no 'labels' in it"),
    "fine labels": (pickle.dumps({"fine_labels": [1]}), "CIFAR-100"),
    "few rows": (pickle.dumps(GOOD | {"data": np.zeros((3, 3072), np.uint8)}), "data is uint8 (3, 3072)"),
    "floats": (pickle.dumps(GOOD | {"data": np.zeros((SMALL, 3072))}), "plain whole numbers"),
    "objects": (pickle.dumps(GOOD | {"data": np.array([[None]])}), "plain whole numbers"),
    "few labels": (pickle.dumps(GOOD | {"labels": [1, 2]}), "labels is no list of 10"),
    "text labels": (pickle.dumps(GOOD | {"labels": ["cat"] * SMALL}), "labels is no list"),
    "label 10": (pickle.dumps(GOOD | {"labels": [0, 10, *[0] * 8]}), "record 1 has label 10"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_truncated_and_foreign_pickles(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    folder = write_python(tmp_path / "files", records())
    bad = folder / "data_batch_5"
    content, says = FOREIGN[case]
    bad.write_bytes(content)
    assert message(folder).startswith(f"{bad}: ")
    assert says in message(folder)
    assert not (tmp_path / "pwned").exists()


def test_any_cut_and_any_changed_byte_is_survived(tmp_path):
    """A damaged pickle gives images or one line, never another error."""
    (tmp_path / "data_batch_1").write_bytes(b"")
    good = pickle.dumps({"labels": [0] * SMALL, "data": np.zeros((SMALL, 3072), np.uint8)}, 2)
    head = [k for k in range(len(good)) if k < 200 or k > len(good) - 60]
    rng = np.random.default_rng(1)
    for k in head:
        for content in (good[:k], good[:k] + bytes([int(rng.integers(256))]) + good[k + 1 :]):
            (tmp_path / "data_batch_1").write_bytes(content)
            with contextlib.suppress(InputError):
                assert len(cifar10.read_python(tmp_path / "data_batch_1")) == SMALL


def test_an_enormous_file_is_not_read(tmp_path):
    path = tmp_path / "data_batch_1"
    with path.open("wb") as stream:
        stream.truncate(10**10)  # a hole
    with pytest.raises(InputError, match="more than a CIFAR-10 batch can have"):
        cifar10.read_python(path)


def test_the_names_of_the_files_are_those_published():
    assert [*cifar10.TRAINING, cifar10.TEST] == NAMES


@pytest.mark.skipif("OPTLAB_DATA" not in os.environ, reason="OPTLAB_DATA names no folder")
def test_the_real_files(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", 10_000)
    found = data.read_cifar10()
    assert np.bincount(found.training.labels).tolist() == [5000] * 10
    assert np.bincount(found.test.labels).tolist() == [1000] * 10
    training, validation = found.split(5000, seed=0)
    assert (len(training), len(validation)) == (45_000, 5000)
    mean, deviation = data.ImageBatches(training, batch=128, seed=0).mean, data.ImageBatches(training, batch=128, seed=0).deviation
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=2e-3)  # the values that everybody uses
    np.testing.assert_allclose(deviation, [0.2470, 0.2435, 0.2616], atol=4e-3)
