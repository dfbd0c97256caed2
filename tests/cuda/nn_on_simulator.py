"""Train on Numba's simulator and write what comes out: a process of its own, for the simulator is chosen at import.

NUMBA_ENABLE_CUDASIM=1 python -m tests.cuda.nn_on_simulator OUT.pickle
"""

import pickle
import signal
import sys
from pathlib import Path

import numpy as np

import optlab as ol
from optlab import nn
from optlab.data.batches import ImageBatches
from optlab.errors import Interrupted
from optlab.training.device import DeviceFeed
from tests.cuda.nn_cases import GRADIENTS, STEPS, TRAININGS, drawn, images, moved, taken
from tests.cuda.quick_blocks import quick


def gradient(name):
    model, count = GRADIENTS[name]
    trainer = moved(nn.Trainer(model, "sgd", batch=count, backend="cuda"))
    batch = trainer.step(*drawn(model, count), 0.0)
    return {"loss": batch.loss, "gradient": trainer.gradient}


def steps(name):
    model, rule, batch, sizes = STEPS[name]
    return taken(moved(nn.Trainer(model, rule, batch=batch, backend="cuda")), sizes)


def moves():
    """Batches written on the device, of two epochs, as they are and moved."""
    out = []
    for augment in (True, False):
        feed = ImageBatches(images(6).training, batch=5, seed=3, augment=augment, dtype="float64")
        trainer = nn.Trainer(nn.logistic(features=108, classes=3, dtype="float64"), "sgd", batch=5, backend="cuda")
        there = DeviceFeed(feed, trainer.network)
        for epoch in (1, 2):
            there.begin(epoch)
            for place in range(feed.steps):
                there.at(place, epoch)
                kernel, grid, block, arguments = there.launch
                kernel[grid, block](*arguments)
                out.append((trainer.network.images.copy_to_host(), trainer.network.labels.copy_to_host()))
    return out


def interrupted(folder):
    """A run that stops after some steps and goes on from its checkpoint, beside one that does not stop."""
    options = TRAININGS["softmax regression"] | {"batch": 2}  # nine steps an epoch, of which eight are taken together
    whole = ol.train(**options, backend="cuda")
    told = []

    def stop(done, total, label):
        told.append(done)
        if len(told) == 1:
            signal.raise_signal(signal.SIGINT)

    kept = Path(folder) / "run.part"
    try:
        ol.train(**options, backend="cuda", checkpoint=kept, progress=stop)
        raise AssertionError("the run was not interrupted")
    except Interrupted:
        again = ol.train(**options, backend="cuda", checkpoint=kept, resume=True)
    return [{name: run[name].values for name in run.data_vars} for run in (whole, again)]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
    with quick(), np.errstate(all="ignore"):
        found = {
            "gradients": {name: gradient(name) for name in GRADIENTS}, "steps": {name: steps(name) for name in STEPS}, "moves": moves(),
            "trainings": {name: ol.train(**options, backend="cuda").to_dict() for name, options in TRAININGS.items()},
            "interrupted": interrupted(Path(sys.argv[1]).parent),
        }  # fmt: skip
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))
