"""What random numbers are for: the last word of the Philox counter, so that no counter is used twice."""

from enum import IntEnum, unique


@unique
class Purpose(IntEnum):
    """Registered uses of the random stream. The counter is (trajectory, step, index, purpose)."""

    NOISE = 1  #: additive gradient noise; index = coordinate // 4
    BATCH = 2  #: rows of a mini-batch; index = position in the batch // 4
    PERMUTATION = 3  #: shuffling at the start of an epoch; step = epoch, index = position // 4
    INITIALIZATION = 4  #: scattered starts; index = coordinate // 4
    AUGMENTATION = 5  #: image augmentation; trajectory = image, step = epoch
    DATA = 6  #: fresh samples; index = position in the batch
    ROTATION = 7  #: rotations of problems; trajectory = row, index = column // 4
    SPLIT = 8  #: which images are kept for validation; trajectory = class, index = position // 4
    TOKENS = 9  #: words of sequences; trajectory = sequence in the batch, step from 1 (0: validation), index = position // 4
