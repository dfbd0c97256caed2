"""Seconds for an epoch of ResNet-20 on a CUDA device (50,000 images, float32 and bfloat16), beside its floors and PyTorch.

    python -m benchmarks.cuda_training [--quick] [--out RESULT.md]

The images are 32 x 32, drawn at random and augmented as in training.
"""

import argparse
import sys
from contextlib import nullcontext
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
BYTES = {"full": 4, "bf16": 2}  #: of an activation

#: bfloat16 multiply-adds of a multiprocessor's tensor cores and cycle, by the major compute capability: 312 and 989 TFLOPS of A100 and H100
TENSOR = {8: 1024, 9: 2048}


def data(batch):
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (IMAGES, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, IMAGES).astype(np.uint8))
    return ImageBatches(images, batch=batch, seed=0)


def products():
    """Multiply-adds of an epoch: forward, gradients of weights and inputs."""
    model = nn.resnet20()
    return IMAGES * (3 * model.multiply_adds - model.layers[0].multiply_adds)


def arithmetic_floor(precision="full"):
    """Seconds of an epoch's multiply-adds at the device's clock and cores; None where the speed of its tensor cores is not known here."""
    from numba import cuda

    device = cuda.get_current_device()
    speed = LANES if precision == "full" else TENSOR.get(device.compute_capability[0])
    return None if speed is None else products() / (device.MULTIPROCESSOR_COUNT * speed * device.CLOCK_RATE * 1e3)


def traffic(precision="full"):
    """Bytes of an epoch's activations, all passes."""
    return IMAGES * PASSES * BYTES[precision] * sum(layer.side_after**2 * layer.outputs for layer in nn.resnet20().layers)


def ours(batch, precision="full"):
    from optlab.training.device import CudaLearner

    trainer = nn.Trainer(nn.resnet20(), "momentum", batch=batch, backend="cuda", precision=precision)
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
    layout = torch.contiguous_format if "eager" in form else torch.channels_last
    module = ResNet(20).to("cuda", memory_format=layout)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9)
    images = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=layout)
    labels = torch.randint(0, 10, (batch,), device="cuda")
    run = torch.compile(module, mode="reduce-overhead" if "graphs" in form else None) if "compile" in form else module

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16) if "bf16" in form else nullcontext():
            loss = functional.cross_entropy(run(images), labels)
        loss.backward()
        optimizer.step()

    def epoch(_):
        for _ in range(IMAGES // batch):
            step()
        torch.cuda.synchronize()

    return epoch


#: precision -> how PyTorch is run beside it; bf16 is autocast: float32 weights, convolutions in bfloat16
FORMS = {
    "full": ("eager", "channels_last", "compile channels_last", "compile channels_last graphs", "compile channels_last TF32"),
    "bf16": ("bf16 eager", "bf16 channels_last", "bf16 compile channels_last", "bf16 compile channels_last graphs"),
}


def seconds(epoch, rounds):
    epoch(1)  # compiles, captures
    taken = []
    for k in range(rounds):
        began = perf_counter()
        epoch(k + 2)
        taken.append(perf_counter() - began)
    return min(taken)


def measured(make, rounds):
    """A cell of the table: seconds, or why there are none."""
    from optlab.errors import OptlabError

    try:
        return f"{seconds(make(), rounds):.3f}"
    except (ImportError, OptlabError) as error:
        return str(error)


def lines(quick):
    """The tables, in Markdown."""
    rounds, out = 1 if quick else 3, []
    for precision, forms in FORMS.items():
        floor = arithmetic_floor(precision)
        words = {"full": "float32", "bf16": "bfloat16 (float32 weights and sums)"}[precision]
        out += [
            "",
            f"# ResNet-20 on CUDA, {words}",
            "",
            "Seconds for an epoch of 50,000 images, least of the rounds; traffic of all passes: ",
        ]
        out[-1] += f"{traffic(precision) / 1e9:.0f} GB."
        out += ["", "| batch | floor of arithmetic | optlab | " + " | ".join(f"torch {form}" for form in forms) + " |"]
        out.append("|---:|---:|---:|" + "---:|" * len(forms))
        for batch in BATCHES:
            cells = [measured(lambda b=batch, p=precision: ours(b, p), rounds)]
            for form in forms:
                cells.append(measured(lambda b=batch, f=form: in_torch(b, f), rounds) if find_spec("torch") else "not installed")
            out.append(f"| {batch} | {'unknown' if floor is None else f'{floor:.4f}'} | " + " | ".join(cells) + " |")
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
