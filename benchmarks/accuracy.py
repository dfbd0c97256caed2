"""Does training here end where PyTorch's ends? ResNet-8 on a subset of CIFAR-10 for a few epochs, several seeds each.

    python -m benchmarks.accuracy --data-dir DIR [--label TEXT] [--seeds 4] [--epochs 5] [--training 5000] [--results FILE]

Both see the same batches of the same seed (order, crops, mirror images). Initial weights are each library's own draw of He's
initialization, optimizers and schedules their own: what is compared is the whole of training, by the accuracy after the last epoch.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import stats

import optlab as ol
from optlab.training.task import read_task

BATCH, VALIDATION, RATE = 64, 2000, 0.1


def task_of(asked, seed):
    return read_task(
        "cifar10", folder=asked.data_dir, label=asked.label, target=None, columns=None, drop_missing=False, classify=True, batch=BATCH,
        seed=seed, training=asked.training, validation=VALIDATION, augment=True, standardize=True, dtype="float32",
    )  # fmt: skip


def ours(asked, seed):
    run = ol.train(
        "resnet8", data="cifar10", data_dir=asked.data_dir, label=asked.label, rule="momentum", schedule="cosine", alpha=RATE,
        epochs=asked.epochs, batch=BATCH, rng=seed, training=asked.training, validation=VALIDATION, probe=0, test=False,
    )  # fmt: skip
    return float(run.validation_accuracy[-1])


def pytorch(asked, seed):
    import torch
    from torch.nn import functional

    from tests.peers.torch_models import ResNet

    torch.manual_seed(seed)
    task, module = task_of(asked, seed), ResNet(8)
    for parameter in module.parameters():
        if parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter, nonlinearity="relu")
    module = module.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, asked.epochs * task.feed.steps)

    def images(batch):
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    for epoch in range(1, asked.epochs + 1):
        for inputs, labels in task.feed.epoch(epoch):
            optimizer.zero_grad()
            functional.cross_entropy(module(images(inputs)), torch.from_numpy(labels)).backward()
            optimizer.step()
            schedule.step()
    module.eval()
    with torch.no_grad():
        right = [int((module(images(x)).argmax(1) == torch.from_numpy(y)).sum()) for x, y in task.feed.plain(task.validation)]
    return sum(right) / VALIDATION


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--label")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--training", type=int, default=5000)
    parser.add_argument("--results", help="a file to which what is printed is written too")
    asked = parser.parse_args()
    what = f"ResNet-8, {asked.label or 'CIFAR-10'}: {asked.training} images, {asked.epochs} epochs of batches of {BATCH}, momentum 0.9, "
    said = [what + f"cosine from {RATE}; validation accuracy after the last epoch, {VALIDATION} images"]
    found = {"optlab": [], "PyTorch": []}
    for seed in range(asked.seeds):
        for name, train in (("optlab", ours), ("PyTorch", pytorch)):
            began = time.perf_counter()
            found[name].append(100 * train(asked, seed))
            print(f"{name}, seed {seed}: {found[name][-1]:.2f} % ({time.perf_counter() - began:.0f} s)", flush=True)
    for name, values in found.items():
        said.append(f"  {name:8s} {np.mean(values):.2f} % (standard deviation over {asked.seeds} seeds {np.std(values, ddof=1):.2f}): "
                    + ", ".join(f"{v:.2f}" for v in values))  # fmt: skip
    test = stats.ttest_ind(found["optlab"], found["PyTorch"], equal_var=False)
    low, high = test.confidence_interval(0.95)
    gap = np.mean(found["optlab"]) - np.mean(found["PyTorch"])
    said.append(f"  optlab less PyTorch: {gap:.2f} points, 95 % interval [{low:.2f}, {high:.2f}] (Welch), p = {test.pvalue:.2f}")
    print("\n".join(said))
    if asked.results:
        Path(asked.results).write_text("\n".join(said) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
