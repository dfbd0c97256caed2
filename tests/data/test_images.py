"""Splits, batches and the synthetic images, held against slow twins."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import optlab.data as data
from optlab.data.images import Images, channel_statistics, even_shares
from optlab.errors import InputError, UnknownNameError
from tests.oracles import images as by_hand


def some(n=40, size=8, seed=0, classes=4):
    rng = np.random.default_rng(seed)
    return Images(rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8), (np.arange(n) % classes).astype(np.uint8))


def as_data(images, classes=4):
    return data.ImageData("some", images, some(4), tuple("abcdefghij"[:classes]))


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("epoch", [1, 2, 30])
def test_an_epoch_against_the_twin(seed, epoch):
    images = some()
    batches = data.ImageBatches(images, batch=12, seed=seed, dtype="float64")
    order = by_hand.epoch_order(len(images), epoch, seed)
    assert batches.order(epoch).tolist() == order
    whole = by_hand.normalized(images.pixels)
    count = 0
    for place, (pixels, labels) in enumerate(batches.epoch(epoch)):
        rows = order[12 * place : 12 * place + 12]
        assert labels.tolist() == images.labels[rows].tolist()
        expected = np.stack([by_hand.augmented(whole[row], row, epoch, seed) for row in rows])
        np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-13)
        count += 1
    assert count == batches.steps == 3


def test_every_shift_and_both_mirror_images_occur():
    image = np.zeros((1, 9, 9, 3), np.uint8)
    image[0, 4, 4] = 255
    image[0, 4, 5] = 128  # tells which way it faces
    seen = set()
    batches = data.ImageBatches(Images(image, np.zeros(1, np.uint8)), batch=1, seed=0)
    for epoch in range(1, 2000):
        ((pixels, _),) = batches.epoch(epoch)
        y, x = np.unravel_index(np.argmax(pixels[0, :, :, 0]), (9, 9))
        seen.add((int(y), int(x)))
    assert seen == {(y, x) for y in range(9) for x in range(9)}  # one is missing with probability 81 e^-24 < 1e-8; the seed is fixed


def test_plain_batches_are_every_image_once_in_order():
    images = some()
    batches = data.ImageBatches(images, batch=12, seed=0)
    other = some(17, seed=5)
    parts = [(x.copy(), y) for x, y in batches.plain(other)]
    assert [len(y) for _, y in parts] == [12, 5]
    scaled = (other.pixels / 255 - batches.mean) / batches.deviation
    np.testing.assert_allclose(np.concatenate([x for x, _ in parts]), scaled, rtol=1e-6, atol=1e-6)
    assert np.concatenate([y for _, y in parts]).tolist() == other.labels.tolist()


def test_an_epoch_can_be_entered_anywhere():
    batches = data.ImageBatches(some(), batch=6, seed=3)
    whole = [(x.copy(), y.copy()) for x, y in batches.epoch(4)]
    for first in range(batches.steps + 1):
        rest = [(x.copy(), y.copy()) for x, y in batches.epoch(4, first)]
        assert len(rest) == len(whole) - first
        for (x, y), (a, b) in zip(whole[first:], rest, strict=True):
            np.testing.assert_array_equal(x, a)
            np.testing.assert_array_equal(y, b)


def test_threads_have_no_say():
    images, expected, found = some(), {}, {}
    batches = data.ImageBatches(images, batch=10, seed=1)
    for epoch in range(1, 9):
        expected[epoch] = np.concatenate([x.copy() for x, _ in batches.epoch(epoch)])

    def work(epoch):
        found[epoch] = np.concatenate([x.copy() for x, _ in batches.epoch(epoch)])

    workers = [threading.Thread(target=work, args=(epoch,)) for epoch in expected]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for epoch, value in expected.items():
        np.testing.assert_array_equal(found[epoch], value)


def test_the_mean_color_fills_what_a_crop_leaves_empty():
    batches = data.ImageBatches(some(), batch=40, seed=0)
    ((pixels, _),) = batches.epoch(1)
    assert (pixels == 0).all(axis=-1).any()
    assert not (next(batches.plain(batches.training))[0] == 0).all(axis=-1).any()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.data())
def test_shares_are_even_as_far_as_they_can_be(sizes, draw):
    total = draw.draw(st.integers(0, sum(sizes)))
    shares = even_shares(sizes, total)
    assert sum(shares) == total
    assert all(0 <= share <= size for share, size in zip(shares, sizes, strict=True))
    full = [share for share, size in zip(shares, sizes, strict=True) if share < size]
    if full:  # who could have more has at most one less than anybody
        assert min(full) >= max(shares) - 1


@pytest.mark.parametrize("seed", [0, 5])
def test_the_split_against_the_twin(seed):
    images = as_data(some())
    training, validation = images.split(12, seed=seed)
    rows = by_hand.split(images.training.labels.tolist(), 4, 12, seed)
    np.testing.assert_array_equal(validation.pixels, images.training.pixels[rows])
    others = [row for row in range(40) if row not in rows]
    np.testing.assert_array_equal(training.pixels, images.training.pixels[others])
    assert np.bincount(validation.labels).tolist() == [3] * 4


def test_a_smaller_training_set_is_part_of_a_larger_one():
    images = as_data(some())
    (large, kept), (small, same) = images.split(12, seed=0), images.split(12, seed=0, training=8)
    np.testing.assert_array_equal(kept.pixels, same.pixels)
    assert np.bincount(small.labels).tolist() == [2] * 4
    bytes_of = {image.tobytes() for image in large.pixels}
    assert all(image.tobytes() in bytes_of for image in small.pixels)


def test_seeds_give_other_splits_and_other_orders():
    images = as_data(some())
    assert not np.array_equal(images.split(12, seed=0)[1].pixels, images.split(12, seed=1)[1].pixels)
    orders = {tuple(data.ImageBatches(images.training, batch=4, seed=s).order(e)) for s in range(3) for e in range(1, 4)}
    assert len(orders) == 9


def test_statistics_against_numpy():
    images = some(size=16)
    mean, deviation = channel_statistics(images)
    scaled = images.pixels / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(deviation, scaled.std((0, 1, 2)), rtol=1e-13)
    flat = Images(np.full((2, 4, 4, 1), 7, np.uint8), np.zeros(2, np.uint8))
    assert channel_statistics(flat)[1].tolist() == [1.0]


def test_synthetic_images_are_learnable_and_not_trivial():
    """A linear classifier (ridge regression) stays near chance; a few features of the right kind tell the classes apart."""
    images = data.synthetic(1500, 500, size=16, seed=0)
    assert np.bincount(images.training.labels).tolist() == [150] * 10

    def accuracy(features):
        a, b = features(images.training.pixels), features(images.test.pixels)
        center, scale = a.mean(0), a.std(0) + 1e-9
        a, b = ((np.c_[(x - center) / scale, np.ones(len(x))]) for x in (a, b))
        targets = np.eye(10)[images.training.labels]
        weights = np.linalg.solve(a.T @ a + 10 * np.eye(a.shape[1]), a.T @ targets)
        return float(np.mean(np.argmax(b @ weights, 1) == images.test.labels))

    def spectrum(pixels):
        gray = pixels.astype(float) - pixels.mean((1, 2), keepdims=True)
        power = (np.abs(np.fft.fft2(gray, axes=(1, 2))) ** 2).sum(-1)
        return np.log(power[:, :9].reshape(len(pixels), -1) + 1)

    assert accuracy(lambda pixels: pixels.reshape(len(pixels), -1).astype(float)) < 0.35
    assert accuracy(spectrum) > 0.8


def test_synthetic_images_depend_on_the_seed_alone():
    one, two, other = (data.synthetic(20, 10, size=8, seed=s) for s in (0, 0, 1))
    assert one.fingerprint == two.fingerprint != other.fingerprint
    longer = data.synthetic(40, 10, size=8, seed=0)
    np.testing.assert_array_equal(longer.training.pixels[:20], one.training.pixels)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: data.ImageBatches(some(), batch=41, seed=0), "batch = 41 must be from 1 to 40"),
        (lambda: as_data(some()).split(40, seed=0), "validation = 40 must be from 1 to 39"),
        (lambda: as_data(some()).split(10, seed=0, training=31), "must be from 1 to 30"),
        (lambda: as_data(some(), classes=2), "a training label is 3, but there are 2 classes"),
        (lambda: Images(np.zeros((2, 3)), np.zeros(2)), "images do not fit"),
        (lambda: data.get(3), "is no data"),
        (lambda: data.get("cifar10(size=3)", folder="."), "cifar10 has none"),
        (lambda: data.get("synthetic(sise=3)"), "it takes training, test, size and seed"),
        (lambda: data.get("synthetic(size=2)"), "at least 4"),
        (lambda: data.get("synthetic(7)"), "options go by name"),
    ],
)
def test_bad_input_is_one_line(call, says):
    with pytest.raises(InputError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match="did you mean 'cifar10'"):
        data.get("cifar")
