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
    """Processor time of each kind of pass, one thread, beside that of PyTorch's bare convolutions of the same shapes."""
    trainer, (images, labels) = nn.Trainer(nn.resnet20(), "momentum", batch=BATCH, threads=1), data()
    spent = {}

    def counted(name, function):
        def call(*args):
            began = time.thread_time()
            function(*args)
            spent.setdefault(name, []).append(time.thread_time() - began)

        return call

    network, seen = trainer.network, set()
    shapes = [(s.layer.inputs, s.layer.outputs, s.layer.side, s.layer.stride) for s in network.stages[:-1]]
    parts = [(s.module, ("forward", "backward", "pack"), named(shape)) for s, shape in zip(network.stages[:-1], shapes, strict=True)]
    parts += [(network.pooling, ("forward", "backward"), "pooling"), (network.rule_module, ("reduce", "advance"), "parameters")]
    parts += [(s.norm, ("after_forward", "after_backward"), f"norm {s.layer.norm}") for s in network.stages]
    for module, functions, name in parts:
        if id(module) not in seen:
            seen.add(id(module))
            for function in functions:
                setattr(module, function, counted(f"{name}: {function}", getattr(module, function)))
    torch_convolutions = {shape: convolution(*shape) for shape in dict.fromkeys(shapes)}
    theirs = {}
    for turn in range(7):
        trainer.step(images, labels, RATE)
        if turn < 2:
            spent.clear()
        for shape, passes in torch_convolutions.items():
            for kind, run in passes.items():
                theirs.setdefault((shape, kind), []).append(min(clocked(run) for _ in range(1 + (turn == 0))))
    each = {name: sum(times) / 5 / BATCH * 1e6 for name, times in spent.items()}
    say("one thread, microseconds per image and GFLOP/s by the definition; optlab's passes hold norm, ReLU and shortcut, PyTorch's do not")
    for shape in dict.fromkeys(shapes):
        inputs, outputs, side, stride = shape
        layers = shapes.count(shape)
        flops = 2 * 9 * inputs * outputs * (side // stride) ** 2 * layers
        for kind, products in (("forward", 1), ("backward", 1 if inputs == 3 else 2)):
            own = each.pop(f"{named(shape)}: {kind}")
            peer = min(np.median(theirs[shape, f"{kind} {layout}"]) for layout in LAYOUTS) / BATCH * 1e6 * layers
            rate = flops * products / own / 1e3
            say(f"  {layers} x {named(shape):30s} {kind:9s} {own:7.1f}  PyTorch {peer:7.1f}  ratio {peer / own:5.2f}  {rate:6.1f} GFLOP/s")
    for name, value in sorted(each.items(), key=lambda pair: -pair[1]):
        if value >= 0.5:
            say(f"  {name:44s} {value:7.1f}")


LAYOUTS = ("contiguous", "channels_last")


def named(shape):
    return "{}-{}, {} x {}, stride {}".format(*shape[:3], *shape[2:])


def clocked(run):
    began = time.thread_time()
    run()
    return time.thread_time() - began


def convolution(inputs, outputs, side, stride):
    """PyTorch's convolution of one shape, forward and backward (of weights, and of the input except for the images)."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    passes = {}
    for layout in LAYOUTS:
        form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        x = torch.randn(BATCH, inputs, side, side).to(memory_format=form).requires_grad_(inputs > 3)
        w = torch.randn(outputs, inputs, 3, 3).to(memory_format=form).requires_grad_()

        def forward(x=x, w=w):
            with torch.no_grad():
                functional.conv2d(x, w, None, stride, 1)

        y = functional.conv2d(x, w, None, stride, 1)
        above, wanted = torch.randn_like(y), [w, x] if inputs > 3 else [w]

        def backward(y=y, wanted=wanted, above=above):
            torch.autograd.grad(y, wanted, above, retain_graph=True)

        passes |= {f"forward {layout}": forward, f"backward {layout}": backward}
    return passes


if __name__ == "__main__":
    main()
