"""Two steps of a small residual network with vectors of a given width; run in a process of its own, prints a hash of the parameters.

python -m tests.nn.one_step BITS
"""

import hashlib
import sys
from dataclasses import replace

import numpy as np

from optlab import nn
from optlab.codegen import lanes
from optlab.nn import shapes


def two_steps() -> str:
    """The hash of the parameters after two steps on fixed images."""
    whole = nn.resnet(8, side=16)
    kept = [layer for layer in whole.layers if not layer.name.startswith("stage3")]
    kept[-1] = replace(kept[-1], inputs=32)
    trainer = nn.Trainer(replace(whole, layers=tuple(kept)), "momentum", batch=4, threads=1)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, 16, 16, 3)).astype(np.float32)
    for _ in range(2):
        trainer.step(images, np.arange(4), 0.1)
    assert np.isfinite(trainer.parameters).all()
    return hashlib.sha256(trainer.parameters.tobytes()).hexdigest()


if __name__ == "__main__":
    bits = int(sys.argv[1])
    lanes.register_bits = shapes.register_bits = lambda: bits
    print(two_steps())
