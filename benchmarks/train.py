"""A training step of ResNet-20 on the CPU, float32, batch 128: optlab beside PyTorch, same threads, in turns.

    python -m benchmarks.train [--threads 1] [--rounds 7] [--compile] [--operations] [--results FILE]

Every round takes one step of each contestant, in an order that changes; printed are medians and quartiles over the rounds, of the time on
the clock and of processor time (all threads together), and the ratios to the fastest of PyTorch's layouts. Processor time is what a machine
that others use as well says most truly.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from optlab import nn
from tests.peers.torch_models import ResNet, copied

BATCH, RATE = 128, 0.01


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(BATCH, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, BATCH)


def ours(threads):
    trainer, (images, labels) = nn.Trainer(nn.resnet20(), "momentum", batch=BATCH, threads=threads), data()
    return lambda: trainer.step(images, labels, RATE)


def torch_step(threads, layout, compiled=False):
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    images, labels = data()
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    given = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(memory_format=form)
    goals = torch.from_numpy(labels)
    module = copied(ResNet(20), nn.Trainer(nn.resnet20(), "momentum", batch=1, threads=1)).to(memory_format=form)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9)
    run = torch.compile(module) if compiled else module

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(run(given), goals).backward()
        optimizer.step()

    return step


def sgemm(threads, size=768):
    import torch

    torch.set_num_threads(threads)
    a, b = torch.randn(size, size), torch.randn(size, size)
    return lambda: torch.mm(a, b), 2 * size**3


def timed(step):
    clock, processor = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - clock, time.process_time() - processor


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="torch.compile as well (needs a C++ compiler, compiles for minutes)")
    parser.add_argument("--operations", action="store_true", help="where optlab's step spends its time")
    parser.add_argument("--results", help="a file to which what is printed is written too")
    asked = parser.parse_args()
    said = []

    def say(text):
        print(text, flush=True)
        said.append(text)

    began = time.perf_counter()
    contestants = {"optlab": ours(asked.threads)}
    contestants["optlab"]()
    say(f"optlab: {time.perf_counter() - began:.1f} s to the end of the first step")
    for layout in ("contiguous", "channels_last"):
        contestants[f"torch {layout}"] = torch_step(asked.threads, layout)
    if asked.compile:
        contestants["torch.compile channels_last"] = torch_step(asked.threads, "channels_last", compiled=True)
    product, flops = sgemm(asked.threads)
    contestants["sgemm"] = product
    for step in contestants.values():
        step()
        step()
    taken = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(asked.rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name].append(timed(contestants[name]))
    say(f"{asked.threads} threads, {asked.rounds} rounds; microseconds per image: median [quartiles]")
    medians = {}
    for name, pairs in taken.items():
        for what, values in zip(("clock", "processor"), np.array(pairs).T, strict=True):
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            medians[name, what] = middle
            if name == "sgemm":
                say(f"  {name:28s} {what:9s} {flops / middle / 1e9:8.1f} GFLOP/s")
            else:
                say(f"  {name:28s} {what:9s} {middle / BATCH * 1e6:8.0f} [{low / BATCH * 1e6:.0f}, {high / BATCH * 1e6:.0f}]")
    ratios = {}
    for what in ("clock", "processor"):
        best = min(medians[f"torch {layout}", what] for layout in ("contiguous", "channels_last"))
        ratios[what] = {"eager": best / medians["optlab", what]}
        if asked.compile:
            ratios[what]["compile"] = medians["torch.compile channels_last", what] / medians["optlab", what]
    say(f"PyTorch's time over optlab's: {json.dumps({k: {n: round(r, 2) for n, r in v.items()} for k, v in ratios.items()})}")
    if asked.operations:
        operations(say)
    if asked.results:
        Path(asked.results).write_text("\n".join(said) + "\n", encoding="utf-8")


def operations(say):
    """Processor time of each kind of pass, one thread."""
    trainer, (images, labels) = nn.Trainer(nn.resnet20(), "momentum", batch=BATCH, threads=1), data()
    spent = {}

    def counted(name, function):
        def call(*args):
            began = time.thread_time()
            function(*args)
            spent.setdefault(name, []).append(time.thread_time() - began)

        return call

    network, seen = trainer.network, set()
    named = [
        (f"{s.layer.inputs}-{s.layer.outputs}, {s.layer.side} x {s.layer.side}, stride {s.layer.stride}", s.module) for s in network.stages
    ]
    parts = [(name, module, ("forward", "backward", "pack")) for name, module in named]
    parts += [("pooling", network.pooling, ("forward", "backward")), ("flat", network.rule_module, ("reduce", "advance"))]
    parts += [(f"norm {s.layer.norm}", s.norm, ("after_forward", "after_backward")) for s in network.stages]
    for name, module, functions in parts:
        if id(module) not in seen:
            seen.add(id(module))
            for function in functions:
                setattr(module, function, counted(f"{name}: {function}", getattr(module, function)))
    for _ in range(2):
        trainer.step(images, labels, RATE)
    spent.clear()
    for _ in range(5):
        trainer.step(images, labels, RATE)
    for name, times in sorted(spent.items(), key=lambda pair: -sum(pair[1])):
        say(f"  {name:45s} {sum(times) / 5 / BATCH * 1e6:8.1f} us per image")


if __name__ == "__main__":
    main()
