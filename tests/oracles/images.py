"""Batches of images by hand: the split, the order of an epoch, crops and mirror images, one image at a time with NumPy."""

import numpy as np

from tests.oracles.philox import AUGMENTATION, PERMUTATION, common_key, philox

SPLIT = 8


def shuffled(n, trajectory, step, purpose, key):
    """Fisher and Yates's shuffle of 0 ... n - 1, from the last place to the first, a word for each place."""
    order = list(range(n))
    for j, place in enumerate(range(n - 1, 0, -1)):
        word = philox((trajectory, step, j // 4, purpose), key)[j % 4]
        other = word * (place + 1) >> 32
        order[place], order[other] = order[other], order[place]
    return order


def epoch_order(n, epoch, seed):
    return shuffled(n, 0, epoch, PERMUTATION, common_key(seed))


def split(labels, classes, validation, seed):
    """Rows of validation, the same number of each class (which must fit)."""
    chosen = []
    for k in range(classes):
        rows = [row for row, label in enumerate(labels) if label == k]
        order = shuffled(len(rows), k, 0, SPLIT, common_key(seed))
        chosen += [rows[i] for i in order[: validation // classes]]
    return sorted(chosen)


def augmented(image, row, epoch, seed, pad=4):
    """One normalized image (height, width, channels) as it is seen in an epoch: padded with zeros, cropped, mirrored."""
    words = philox((row, epoch, 0, AUGMENTATION), common_key(seed))
    top, left = (word * (2 * pad + 1) >> 32 for word in words[:2])
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    cropped = padded[top : top + image.shape[0], left : left + image.shape[1]]
    return cropped[:, ::-1] if words[2] >= 2**31 else cropped


def normalized(pixels):
    """Every channel of all images (uint8) with mean 0 and deviation 1."""
    scaled = pixels.astype(np.float64) / 255
    return (scaled - scaled.mean((0, 1, 2))) / scaled.std((0, 1, 2))
