"""Two epochs of a residual network on textures: optlab's loop against a loop in PyTorch, from the same weights, on the same images."""

import numpy as np
import pytest

import optlab as ol
from optlab import schedules
from optlab.training.train import prepare

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from tests.oracles import images as by_hand  # noqa: E402
from tests.peers.torch_models import ResNet, copied  # noqa: E402

pytestmark = pytest.mark.peers
OPTIONS = {
    "data": "synthetic(training=120, test=40, size=16)", "validation": 20, "batch": 20, "epochs": 2, "alpha": 0.05, "dtype": "float64",
    "schedule": "one_cycle", "threads": 1,
}  # fmt: skip


def optimizer_of(name, parameters):
    """``lr`` is set for each step. Momentum is compared at a constant rate: where it changes, torch's buffer means another thing."""
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.9) if name == "momentum" else torch.optim.Adam(parameters, lr=1.0)


@pytest.mark.parametrize(
    ("rule", "peer", "schedule"), [("momentum", "momentum", "constant"), ("adam(eps_placement=outside)", "adam", "one_cycle")]
)
def test_two_epochs_against_pytorch(rule, peer, schedule):
    options = OPTIONS | {"rule": rule, "schedule": schedule}
    run = ol.train("resnet8", **options)
    prepared = prepare("resnet8", **options)
    images = ol.data.synthetic(120, 40, size=16)
    used, aside = images.split(20, seed=0)
    scaled = by_hand.normalized(used.pixels)
    module = copied(ResNet(8), prepared.learner.trainer).train()
    optimizer = optimizer_of(peer, module.parameters())
    cycle = schedules.get("one_cycle", base=0.05 / 25, peak=0.05, steps=10)
    rates = [0.05 if schedule == "constant" else float(cycle.at(step)) for step in range(10)]
    for epoch in (1, 2):
        order, losses, right = by_hand.epoch_order(100, epoch, 0), [], 0
        for place in range(5):
            rows = order[20 * place : 20 * place + 20]
            x = np.stack([by_hand.augmented(scaled[row], row, epoch, 0) for row in rows]).transpose(0, 3, 1, 2)
            y = torch.from_numpy(used.labels[rows].astype(np.int64))
            optimizer.param_groups[0]["lr"] = rates[5 * (epoch - 1) + place]
            optimizer.zero_grad()
            logits = module(torch.from_numpy(x.copy()))
            loss = functional.cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            right += int((logits.argmax(1) == y).sum())
        assert float(run.train_loss.sel(epoch=epoch)) == pytest.approx(np.mean(losses), rel=1e-8)
        assert float(run.train_accuracy.sel(epoch=epoch)) == right / 100
        mean, deviation = used.pixels.mean((0, 1, 2)) / 255, (used.pixels / 255).std((0, 1, 2))
        seen = torch.from_numpy(((aside.pixels / 255 - mean) / deviation).transpose(0, 3, 1, 2).copy())
        module.eval()
        with torch.no_grad():
            logits = module(seen)
            loss = functional.cross_entropy(logits, torch.from_numpy(aside.labels.astype(np.int64))).item()
        module.train()
        assert float(run.validation_loss.sel(epoch=epoch)) == pytest.approx(loss, rel=1e-8)
