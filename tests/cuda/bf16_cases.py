"""What bfloat16 kernels are held against float64 on: every shape of the residual networks on few images, and a whole tiny network."""

import numpy as np

from optlab.nn.models import Layer, Model

#: name -> (layer, images)
LAYERS = {
    "3 to 16": (Layer("stem", 3, 16, 32, 3), 1),
    "16 to 16": (Layer("own", 16, 16, 32, 3), 1),
    "16 to 32, stride 2": (Layer("own", 16, 32, 32, 3, 2), 1),
    "32 to 32": (Layer("own", 32, 32, 16, 3), 1),
    "32 to 64, stride 2": (Layer("own", 32, 64, 16, 3, 2), 1),
    "64 to 64": (Layer("own", 64, 64, 8, 3), 1),
    "8 to 24, odd side": (Layer("own", 8, 24, 5, 3), 3),  # channels and pixels that fill no product, images that fill no block
    "48 to 8, stride 2": (Layer("own", 48, 8, 12, 3, 2), 2),
}


def tiny(norm="batch", side=8, classes=5):
    """As :func:`optlab.nn.resnet` of 8 layers, with 8, 16 and 32 channels."""
    layers, source, channels = [Layer("stem", 3, 8, side, 3, norm=norm, source="images")], "first", 8
    for stage in range(3):
        down, width = stage > 0, 8 << stage
        name, at = f"stage{stage + 1}.block1", side >> max(0, stage - 1)
        layers.append(Layer(f"{name}.conv1", channels, width, at, 3, 2 if down else 1, norm, source))
        layers.append(Layer(f"{name}.conv2", width, width, side >> stage, 3, norm=norm))
        source, channels = "down" if down else "same", width
    return Model("resnet8", (*layers, Layer("output", channels, classes, source="pooled")))


#: name -> (model, rule, images of each step)
STEPS = {"batch": (tiny(), "momentum", (2, 1)), "layer, look ahead": (tiny("layer"), "nesterov", (1,)), "none": (tiny("none"), "sgd", (1,))}

TRAINING = {
    "model": tiny("batch", 4, 3),
    "rule": "momentum", "schedule": "cosine", "alpha": 0.05, "epochs": 1, "batch": 4, "probe": 0, "training": 8,
    "validation": 3, "test": False,
}  # fmt: skip


def nearest(x):
    """The bfloat16 number nearest to each, ties to the even one, as float64: by powers of two, not by bits."""
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        step = np.exp2(np.maximum(np.floor(np.log2(np.abs(x))), -126) - 7)
    return np.where((x == 0) | ~np.isfinite(x), x, np.rint(x / step) * step)


def bits(x):
    """The upper 16 bits of bfloat16 numbers."""
    words = np.asarray(x, np.float32).view(np.uint32)
    assert not (words & 0xFFFF).any()
    return (words >> 16).astype(np.uint16)


def numbers(words):
    """The numbers with these upper 16 bits, in float64."""
    return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def drawn(name):
    """Input, filters and gradient of the result of a layer: bfloat16 numbers, but for images and weights, which are float32."""
    layer, count = LAYERS[name]
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, layer.side, layer.side, layer.inputs)).astype(np.float32)
    w = rng.normal(size=(3, 3, layer.inputs, layer.outputs)).astype(np.float32)
    dy = nearest(rng.normal(size=(count, layer.side_after, layer.side_after, layer.outputs)))
    return (x if layer.inputs == 3 else nearest(x)), w, dy


def batch(model, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, *model.image_shape)).astype(np.float32), rng.integers(0, model.outputs, count)


def taken(trainer, sizes, rate=0.1):
    """What steps of these sizes and an evaluation find, the gradient of the first step, and the state after the last."""
    found, gradient = [], None
    for k, size in enumerate(sizes):
        done = trainer.step(*batch(trainer.model, size, seed=k), rate)
        found.append(done.loss)
        gradient = trainer.gradient.copy() if gradient is None else gradient
    last = trainer.evaluate(*batch(trainer.model, 1, seed=9))
    return {"found": np.array([*found, last.loss]), "gradient": gradient, **trainer.state()}
