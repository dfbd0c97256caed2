"""What draws one picture can draw it into axes of yours; what composes several returns the figure."""

import inspect
import pkgutil
from importlib import import_module
from types import SimpleNamespace

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import optlab.reporting.figures as figures
from optlab import rules
from optlab.reporting.figures.minimax import draw_rates
from optlab.reporting.figures.stability import draw_stability
from optlab.reporting.summary import findings

DRAWING = [
    pytest.param(function, id=f"{module.name.removeprefix('optlab.reporting.figures.')}.{name}")
    for module in pkgutil.walk_packages(figures.__path__, "optlab.reporting.figures.")
    for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction)
    if name.startswith("draw") and function.__module__ == module.name
]


def test_there_are_figures():
    assert len(DRAWING) > 50


@pytest.mark.parametrize("function", DRAWING)
def test_axes_go_in_or_a_figure_comes_out(function):
    signature = inspect.signature(function)
    if signature.return_annotation == "Figure":
        assert "ax" not in signature.parameters
    else:
        assert {"ax": "Axes", "figure": "Figure"}.items() & {
            (name, one.annotation.removesuffix(" | None").partition(" |")[0]) for name, one in signature.parameters.items()
        }, signature


@pytest.mark.parametrize("draw", [draw_stability, lambda rule, ax=None: draw_rates([rule], ax)], ids=["stability", "rates"])
def test_it_draws_into_the_axes_given(draw):
    ax = Figure().subplots()
    assert draw(rules.get("momentum"), ax) is ax
    assert len(ax.lines) + len(ax.collections) + len(ax.images) > 0
    assert isinstance(draw(rules.get("momentum")), Axes)


def entry(name, loss):
    run = SimpleNamespace(loss_mean=[1.0, loss])
    return SimpleNamespace(rule=rules.get(name), simulated=run)


ASIDE = "least is adamw (adamw decays weights toward 0, where the minimum lies)"
LEAST = {
    "with decay": ({"sgd": 0.3, "adamw": 0.1, "momentum": 0.2}, f"{ASIDE}; without decay, least is momentum."),
    "without": ({"sgd": 0.1, "adamw": 0.2}, "least is sgd."),
    "alone": ({"adamw": 0.2}, f"{ASIDE}."),
}


@pytest.mark.parametrize("case", LEAST)
def test_the_summary_says_where_decay_wins_by_construction(case):
    losses, said = LEAST[case]
    compared = [SimpleNamespace(kappa=10.0, entries=[entry(name, loss) for name, loss in losses.items()])]
    results = SimpleNamespace(agreements=list, compared=compared, own=[], slopes=[], rows=[], advice=None)
    assert str(findings(results)[0]).endswith(said)
