"""Train in bfloat16 on Numba's simulator, tensor cores in Python, and write what comes out: a process of its own.

NUMBA_ENABLE_CUDASIM=1 python -m tests.cuda.bf16_on_simulator OUT.pickle
"""

import pickle
import sys
from pathlib import Path
from unittest import mock

import numpy as np

import optlab as ol
from optlab import nn
from optlab.codegen import cuda_bf16
from optlab.errors import UnsupportedError
from tests.cuda import tensor_cores
from tests.cuda.bf16_cases import LAYERS, STEPS, TRAINING, taken
from tests.cuda.bf16_layers import convolved
from tests.cuda.nn_cases import images, moved
from tests.cuda.quick_blocks import quick


def trainer(name):
    model, rule, sizes = STEPS[name]
    return moved(nn.Trainer(model, rule, batch=max(sizes), backend="cuda", precision="bf16"))


def trained():
    """Two runs with the same seed."""
    return [ol.train(**TRAINING, data=images(4), backend="cuda", precision="bf16").to_dict() for _ in range(2)]


def refused():
    """What a simulator without tensor cores says."""
    try:
        nn.Trainer(nn.resnet8(), "sgd", batch=2, backend="cuda", precision="bf16")
    except UnsupportedError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    said = refused()
    with quick(), mock.patch.object(cuda_bf16, "emulator", tensor_cores), np.errstate(all="ignore"):
        found = {
            "refused": said, "layers": {name: convolved(name) for name in LAYERS},
            "steps": {name: taken(trainer(name), sizes) for name, (_, _, sizes) in STEPS.items()}, "trained": trained(),
        }  # fmt: skip
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))
