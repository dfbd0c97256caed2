"""Seconds for an epoch of ResNet-20 on a CUDA device (50,000 images, float32), beside its floor and PyTorch.

    python -m benchmarks.cuda_training [--quick] [--out RESULT.md]

The images are 32 x 32, drawn at random and augmented as in training.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

from optlab import nn
from optlab.codegen.cuda import device_name, reason_without
from optlab.data.batches import ImageBatches
from optlab.data.images import Images

OUT = Path(__file__).parent / "results" / "cuda_training.md"
BATCHES = (128, 512)
IMAGES, RATE = 50_000, 0.05
PASSES = 17  #: of all activations through memory in a step, about: see NOTES.md
LANES = 128  #: float32 multiply-adds of a multiprocessor and cycle


def data(batch):
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (IMAGES, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, IMAGES).astype(np.uint8))
    return ImageBatches(images, batch=batch, seed=0)


def arithmetic_floor():
    """Seconds of an epoch's multiply-adds (forward, gradients of weights and inputs) at the device's clock and cores."""
    from numba import cuda

    device = cuda.get_current_device()
    model = nn.resnet20()
    products = IMAGES * (3 * model.multiply_adds - model.layers[0].multiply_adds)
    return products / (device.MULTIPROCESSOR_COUNT * LANES * device.CLOCK_RATE * 1e3)


def traffic():
    """Bytes of an epoch's activations, all passes."""
    return IMAGES * PASSES * 4 * sum(layer.side_after**2 * layer.outputs for layer in nn.resnet20().layers)


def ours(batch):
    from optlab.training.device import CudaLearner

    trainer = nn.Trainer(nn.resnet20(), "momentum", batch=batch, backend="cuda")
    learner, feed = CudaLearner(trainer), data(batch)
    return lambda epoch: list(learner.steps(feed, epoch, 0, np.full(feed.steps, RATE)))


def in_torch(batch, form):
    """PyTorch on the same number of images of the same size, which stand on the device; augmentation is left out."""
    import torch
    from torch.nn import functional

    from tests.peers.torch_models import ResNet

    if not torch.cuda.is_available():
        raise ImportError("this build of torch sees no device")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "TF32" in form
    torch.backends.cudnn.benchmark = True
    layout = torch.contiguous_format if form == "eager" else torch.channels_last
    module = ResNet(20).to("cuda", memory_format=layout)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9)
    images = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=layout)
    labels = torch.randint(0, 10, (batch,), device="cuda")
    run = torch.compile(module, mode="reduce-overhead" if "graphs" in form else None) if "compile" in form else module

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(run(images), labels).backward()
        optimizer.step()

    def epoch(_):
        for _ in range(IMAGES // batch):
            step()
        torch.cuda.synchronize()

    return epoch


FORMS = ("eager", "channels_last", "compile channels_last", "compile channels_last graphs", "compile channels_last TF32")


def seconds(epoch, rounds):
    epoch(1)  # compiles, captures
    taken = []
    for k in range(rounds):
        began = perf_counter()
        epoch(k + 2)
        taken.append(perf_counter() - began)
    return min(taken)


def lines(quick):
    """The table, in Markdown."""
    floor = f"{arithmetic_floor():.3f}"
    out = ["", "# ResNet-20 on CUDA, float32", "", "Seconds for an epoch of 50,000 images, least of the rounds; traffic of all passes: "]
    out[-1] += f"{traffic() / 1e9:.0f} GB."
    out += ["", "| batch | floor of arithmetic | optlab | " + " | ".join(f"torch {form}" for form in FORMS) + " |"]
    out.append("|---:|---:|---:|" + "---:|" * len(FORMS))
    for batch in BATCHES:
        cells = [f"{seconds(ours(batch), 1 if quick else 3):.3f}"]
        for form in FORMS:
            try:
                cells.append(f"{seconds(in_torch(batch, form), 1 if quick else 3):.3f}" if find_spec("torch") else "not installed")
            except ImportError as error:
                cells.append(str(error))
        out.append(f"| {batch} | {floor} | " + " | ".join(cells) + " |")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    reason = reason_without()
    if reason is not None:
        print(f"benchmarks.cuda_training: nothing measured: {reason}", file=sys.stderr)
        return 2
    if find_spec("torch") is None:
        print("benchmarks.cuda_training: torch is not installed, its columns stay empty: pip install torch", file=sys.stderr)
    options.out.write_text("\n".join([f"{device_name()}.", *lines(options.quick)]) + "\n")
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
