"""A program that is killed by the tests: trains the stand-in and writes its result to a file. ``python killed.py CHECKPOINT OUT DELAY``."""

import sys
from pathlib import Path

import numpy as np

import optlab.data as data
from optlab.training import loop as loop_module
from optlab.training.checkpoint import Checkpoint
from optlab.training.loop import Loop
from optlab.training.task import image_task
from tests.training.standin import Softmax

EPOCHS = 4


def build(checkpoint, delay=0.0):
    images = data.synthetic(200, 50, size=8, seed=0)
    task = image_task(images, batch=20, seed=0, training=None, validation=20, augment=True, dtype="float64")
    rates = np.linspace(0.05, 0.01, EPOCHS * task.feed.steps)
    kept = None if checkpoint is None else Checkpoint(Path(checkpoint), {"a": "run"})
    return Loop(Softmax(task.shape, 10, delay=delay), task, rates, EPOCHS, probe=3, checkpoint=kept)


def main(checkpoint, out, delay):
    loop_module.SAVE_SECONDS = loop_module.EPOCH_SECONDS = 0.02
    loop = build(checkpoint, float(delay))
    progress = loop.run(resume=True)
    np.savez(out, **{name: value for name, value in progress.arrays().items() if name != "seconds"})


if __name__ == "__main__":
    main(*sys.argv[1:])
