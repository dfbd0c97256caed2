"""The kernels of training compiled to PTX and assembled, without a device: what they take of it.

python -m tests.cuda.nn_assembly        writes the table that the tests hold them to, tests/cuda/nn_budget.csv
"""

import csv
import re
import sys
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from unittest import mock

import numba
import numpy as np

import optlab.nn.cuda.network as network
from optlab import nn, rules
from optlab.data.batches import ImageBatches
from optlab.data.table_batches import TableBatches
from optlab.nn.cuda.mixed import MixedNetwork
from optlab.training.device import DeviceFeed
from tests.cuda.assembly import ARCHITECTURES, assembled, counted
from tests.cuda.launches import _here, type_of
from tests.cuda.nn_cases import images

BUDGET = Path(__file__).with_name("nn_budget.csv")
BATCH = 128

#: name -> (model, rule, which kernels: those that no model before has)
MODELS = {
    "resnet": (nn.resnet(8), "momentum", ""),
    "resnet layer": (nn.resnet(8, norm="layer"), "adamw", "row_|give_same|own_gradient|advance|look_ahead"),
    "mlp": (nn.mlp(features=784, norm="rms"), "nesterov", "row_|give_active|take_active|own_gradient|look_ahead|forward|back_"),
    "linear": (nn.linear(features=9), "adam", "objective|advance"),
    "resnet float64": (nn.resnet(8, dtype="float64"), "sgd", "^(forward|back_data|back_weights|objective)$"),
    "resnet bf16": (nn.resnet(8), "momentum", "^(forward|back_data|back_weights|narrow|sums|pool|own_gradient|run_take_.*|run_give_.*)$"),
}

#: float64 arithmetic is for sums over samples, and for what is done once a channel
SUMMING = re.compile(r"run_give_|: sums|after_|from_running|advance|note|objective")


@dataclass
class Assembled:
    """What ptxas says of a kernel, and what its PTX holds."""

    kernel: str
    architecture: str
    threads: int  #: of its block
    registers: int
    stack: int
    shared: int  #: bytes
    spills: int
    f64: int  #: arithmetic in float64 in a float32 kernel
    products: int  #: products that ptxas may contract with a sum: none
    side_by_side: int  #: reads of four numbers from shared memory at once
    mma: int  #: products on tensor cores
    seconds: float


@cache
def launches():
    """name of a kernel -> its launch, of the models above at a batch of 128."""
    found, seen = {}, set()
    for name, (model, rule, which) in MODELS.items():
        with mock.patch.object(network.cuda, "to_device", _here):
            made = (MixedNetwork if "bf16" in name else network.Network)(model, rules.get(rule).unbound(), 2)
            steps = [*made.gradients(2), *made.advance(2), *made.losses_of(2)]
        for launch in steps:
            function = launch.kernel.py_func
            key = (function.__module__, function.__name__)
            if key in seen or not re.search(which, function.__name__):
                continue
            seen.add(key)
            about = function.__globals__
            size = f" {about['C']}-{about['K']}" if "STAGE" in about else f" {about['K']}" if "K" in about else ""
            label = f"{name}: {function.__name__}{size}"
            found[label if label not in found else f"{label} ({sum(other.startswith(label) for other in found) + 1})"] = launch
    return found | feeds()


def feeds():
    """name -> the launch that writes a batch: of images, of a table's rows."""
    table = TableBatches(np.zeros((8, 3)), np.zeros(8), validation=2, batch=2, seed=0)
    pairs = ((ImageBatches(images(32).training, batch=2, seed=0), nn.resnet8()), (table, nn.linear(features=3)))
    with mock.patch.object(network.cuda, "to_device", _here):
        made = [DeviceFeed(feed, network.Network(model, rules.get("sgd").unbound(), 2)).launch for feed, model in pairs]
    return {f"data: {launch.kernel.py_func.__name__}": launch for launch in made}


def kind(value):
    return numba.typeof(value) if isinstance(value, np.floating) else type_of(value)


def assemble(name, architecture):
    """Compile and assemble one kernel."""
    kernel, _, block, arguments = launches()[name]
    text, said, seconds = assembled(kernel, tuple(map(kind, arguments)), architecture)
    numbers = {key: int(m[1]) if (m := re.search(p, said)) else 0 for key, p in {
        "registers": r"Used (\d+) registers", "stack": r"(\d+) bytes stack frame", "shared": r"(\d+) bytes smem",
    }.items()}  # fmt: skip
    single = "float64" not in name
    return Assembled(
        kernel=name, architecture=architecture, threads=block, spills=sum(map(int, re.findall(r"(\d+) bytes spill", said))),
        f64=counted(text, r"(add|sub|mul|fma|mad|div|rcp|sqrt|ex2|lg2)\..*f64") * single, products=counted(text, r"mul\.(ftz\.)?f(32|64)"),
        side_by_side=counted(text, r"ld\.shared\.v[24]\..*"), mma=counted(text, r"mma\.sync\.aligned\.m16n8k16\..*bf16.*"),
        seconds=round(seconds, 1), **numbers,
    )  # fmt: skip


def budget():
    """The committed table, by kernel and architecture."""
    with BUDGET.open(newline="") as file:
        return {(row["kernel"], row["architecture"]): row for row in csv.DictReader(file)}


def main():
    with BUDGET.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Assembled)], lineterminator="\n")
        writer.writeheader()
        for name in launches():
            for architecture in ARCHITECTURES:
                print(f"{name}, {architecture}", file=sys.stderr, flush=True)
                writer.writerow(asdict(assemble(name, architecture)))


if __name__ == "__main__":
    main()
