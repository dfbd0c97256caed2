"""Every experiment has a full preset, every example of its name is read, and the number of cells is told before they run."""

from pathlib import Path

import pytest

import optlab as ol
from optlab import problems
from optlab.experiments.catalog import QUESTIONS

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = ["ravine", "saddle", "plateau", "schedules", "sparse", "attention"]


@pytest.mark.parametrize("name", NAMES)
def test_specs_are_read_and_counted(name):
    experiment = getattr(ol.experiments, name)
    assert name in QUESTIONS
    usual, full = experiment.read(), experiment.read(preset="full")
    assert 0 < experiment.count(usual) < experiment.count(full)
    assert set(getattr(usual, "rules", [])) <= set(getattr(full, "rules", []))
    assert experiment.count(experiment.read(EXAMPLES / f"{name}.toml")) > 0


@pytest.mark.parametrize("name", ["minima", "onecycle"])
def test_specs_about_images_are_read_and_counted(name):
    experiment = getattr(ol.experiments, name)
    usual, full, example = experiment.read(), experiment.read(preset="full"), experiment.read(EXAMPLES / f"{name}.toml")
    assert 0 < experiment.count(example) < experiment.count(usual) < experiment.count(full)
    assert usual.training + usual.validation <= 14_000
    assert name in QUESTIONS


@pytest.mark.parametrize("name", ["saddle", "plateau", "schedules", "sparse"])
def test_the_number_of_cells_is_the_one_told(name, tmp_path):
    small = {
        "saddle": {"noises": [0.1, 1.0], "steps": 30, "trajectories": 8}, "plateau": {"starts": [3.0], "steps": 30, "trajectories": 8},
        "schedules": {"schedules": ["cosine"], "peaks": [0.1, 0.3], "steps": 10, "trajectories": 64, "dim": 2},
        "sparse": {"rows": 20, "common": 1, "rare": 1, "shares": [0.5], "alphas": [0.1], "steps": 5, "trajectories": 4},
    }  # fmt: skip
    experiment = getattr(ol.experiments, name)
    told = []
    result = experiment(small[name], rules=["sgd"], store=tmp_path, progress=lambda done, total, what: told.append((done, total)))
    cells = result.attrs["cells_computed"] + result.attrs["cells_read"]
    assert cells == experiment.count(experiment.read(small[name], rules=["sgd"]))
    assert told[0] == (0, cells)


def test_the_problems_are_what_they_say():
    saddle = problems.get("saddle(gamma=0.5, well=2)")
    x, y = saddle.coordinates
    assert saddle.minimum == -0.5
    assert float(saddle.loss.subs({x: 0, y: 2})) == saddle.minimum
    assert (float(saddle.loss.diff(x, 2).subs({x: 0, y: 0})), float(saddle.loss.diff(y, 2).subs({x: 0, y: 0}))) == (1.0, -0.5)
    turned = problems.saddle(rotated=True, well=2.0, gamma=0.5)
    assert turned.loss.subs({x: -1.2, y: 1.6}).evalf() == pytest.approx(saddle.minimum)  # 2 (-3, 4)/5
    plateau = problems.get("plateau(theta0=5, noise=0.1)")
    assert (plateau.minimum, plateau.noise, plateau.start.point) == (0.0, 0.1, (5.0,))
    with pytest.raises(ol.errors.InputError, match="gamma"):
        problems.saddle(gamma=-1)
