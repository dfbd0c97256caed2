"""Models and trainings that the CUDA path is held against the CPU's and the hand-written twins on: tiny, every kernel, every norm."""

import numpy as np

from optlab import nn
from optlab.data.images import ImageData, Images
from optlab.nn.models import Layer, Model

NORMS = ("batch", "layer", "rms", "none")


def narrow_resnet(norm="batch", dtype="float64", side=8, classes=5):
    """As :func:`optlab.nn.resnet` of 8 layers, with 4, 8 and 16 channels."""
    layers, source, channels = [Layer("stem", 3, 4, side, 3, norm=norm, source="images")], "first", 4
    for stage in range(3):
        down, width = stage > 0, 4 << stage
        name, at = f"stage{stage + 1}.block1", side >> max(0, stage - 1)
        layers.append(Layer(f"{name}.conv1", channels, width, at, 3, 2 if down else 1, norm, source))
        layers.append(Layer(f"{name}.conv2", width, width, side >> stage, 3, norm=norm))
        source, channels = "down" if down else "same", width
    return Model("resnet8", (*layers, Layer("output", channels, classes, source="pooled")), dtype=dtype)


def perceptron(norm, dtype="float64"):
    return nn.mlp(features=19, hidden=(17,), classes=5, norm=norm, dtype=dtype)


#: name -> (model, images of a batch): one gradient each, held against the twins written by hand
GRADIENTS = (
    {f"resnet {norm}": (narrow_resnet(norm), 2) for norm in NORMS}
    | {f"perceptron {norm}": (perceptron(norm), 6) for norm in NORMS}
    | {
        "logistic": (nn.logistic(features=7, classes=5, dtype="float64"), 5),
        "linear": (nn.linear(features=7, outputs=3, dtype="float64"), 5),
    }
    | {"resnet in float32": (narrow_resnet("batch", "float32"), 2), "perceptron in float32": (perceptron("layer", "float32"), 6)}
)

#: name -> (model, rule, batch, images of each step): trained and evaluated on both
STEPS = {
    "resnet8": (nn.resnet(8, side=16, dtype="float64"), "momentum", 1, (1,)),
    "weight decay": (perceptron("batch"), "adamw(wd=0.1)", 4, (4, 4, 3)),
    "look ahead": (perceptron("rms"), "nesterov", 4, (4, 4)),
    "sums carried": (perceptron("none"), "nadam", 4, (4, 4)),
    "one output": (nn.linear(features=3, dtype="float64"), "sgd", 4, (4, 2)),
    "single precision": (perceptron("batch", "float32"), "adam", 4, (4, 4)),
}


def drawn(model, count, seed=0):
    """Images and labels."""
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(count, *model.image_shape)).astype(model.dtype)
    if model.objective == "squared_error":
        return images, rng.normal(size=(count, model.outputs))
    return images, rng.integers(0, model.outputs, count)


def moved(trainer, seed=1):
    """The trainer with parameters away from where they start, so that each matters."""
    state, rng = trainer.state(), np.random.default_rng(seed)
    named = trainer.layout.named(state["parameters"])
    for name, view in named.items():
        if not name.endswith("weight") or trainer.model.start == "zero":
            view += 0.3 * rng.normal(size=view.shape)
    trainer.restore(state)
    return trainer


def taken(trainer, sizes, rate=0.1):
    """What steps of these sizes and an evaluation find, and the state after them."""
    found = []
    for k, size in enumerate(sizes):
        batch = trainer.step(*drawn(trainer.model, size, seed=k), rate / (k + 1))
        found += [batch.loss, batch.correct]
    last = trainer.evaluate(*drawn(trainer.model, trainer.batch + 1, seed=9))
    return {"found": np.array([*found, last.loss, last.correct]), "gradient": trainer.gradient.copy(), **trainer.state()}


def images(side, count=24, classes=3, seed=0):
    rng = np.random.default_rng(seed)

    def some(n):
        return Images(rng.integers(0, 256, (n, side, side, 3)).astype(np.uint8), rng.integers(0, classes, n).astype(np.uint8))

    return ImageData("tiny", some(count), some(6), tuple("abcdefgh"[:classes]))


_TABLE = np.random.default_rng(0).normal(size=(40, 3))

#: name -> options of ``ol.train``
TRAININGS = {
    "linear": {
        "model": "linear", "data": (_TABLE, _TABLE @ [1.0, 2.0, 3.0] + 0.1), "rule": "momentum", "schedule": "constant", "alpha": 0.1,
        "epochs": 3, "batch": 8, "dtype": "float64", "probe": 2,
    },
    "softmax regression": {
        "model": "logistic", "data": images(6), "rule": "adam", "schedule": "cosine", "alpha": 0.01, "epochs": 2, "batch": 4,
        "dtype": "float64", "probe": 0, "validation": 6,
    },
    "perceptron": {
        "model": "mlp(hidden=6, norm=batch)", "data": images(4), "rule": "adamw", "schedule": "warmup_cosine", "alpha": 0.01, "epochs": 2,
        "batch": 4, "dtype": "float64", "probe": 0, "validation": 6, "augment": False,
    },
}  # fmt: skip
