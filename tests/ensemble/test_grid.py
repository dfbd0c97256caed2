"""Grids: every cell has the numbers of its own call, dimensions carry the axes' names, bad axes are refused."""

import itertools
import re

import numpy as np
import pytest

import optlab as ol
from optlab.ensemble.netcdf import from_netcdf, to_netcdf
from optlab.errors import InputError
from optlab.schedules import Parameter, Schedule, symbol, time

BASE = {"steps": 15, "trajectories": 130, "rng": 4, "record": [0, 1, 7, 15], "keep": 3, "outcomes": True, "reach": [3.0, 1.0]}
AXES = {"alpha": [0.05, 0.2], "beta": [0.0, 0.9], "batch": [1, 4, 9], "condition_number": [2, 100]}


def own(**point):
    return ol.simulate(
        f"momentum(beta={point['beta']})",
        f"quadratic(condition_number={point['condition_number']}, dim=3, noise=0.5)",
        schedule=point["alpha"], batch=point["batch"], **BASE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def grid():
    return ol.simulate("momentum", "quadratic(condition_number=2, dim=3, noise=0.5)", schedule=0.1, axes=AXES, **BASE)


def test_every_cell_has_the_bits_of_its_own_call(grid):
    for values in itertools.product(*AXES.values()):
        point = dict(zip(AXES, values, strict=True))
        cell, alone = grid.sel(point).drop_vars(list(AXES)), own(**point)
        assert set(cell.data_vars) == set(alone.data_vars)
        for name in alone.data_vars:
            assert cell[name].dims == alone[name].dims
            assert np.array_equal(cell[name], alone[name], equal_nan=True), (name, point)
            assert cell[name].attrs == alone[name].attrs
    assert len(np.unique(grid.loss_mean.sel(step=15))) == 24


def test_threads_and_chunks_do_not_change_a_grid(grid):
    again = ol.simulate("momentum", "quadratic(condition_number=2, dim=3, noise=0.5)", schedule=0.1, axes=AXES, threads=3, chunk=1, **BASE)
    assert again.identical(grid)


def test_dimensions_and_coordinates_are_the_axes(grid):
    assert grid.loss_mean.dims == ("alpha", "beta", "batch", "condition_number", "step")
    assert grid.passage_quantile.dims == ("alpha", "beta", "batch", "condition_number", "level", "quantile")
    assert grid.theta.dims[-3:] == ("trajectory", "step", "coordinate")
    for name, values in AXES.items():
        assert grid[name].values.tolist() == values
    assert grid.sizes["step"] == 4


def test_a_grid_survives_netcdf(grid):
    back = from_netcdf(to_netcdf(grid))
    assert back.loss_mean.dims == grid.loss_mean.dims
    for name in (*grid.data_vars, *AXES, "step", "level"):
        assert np.array_equal(back[name], grid[name], equal_nan=True), name
    assert back.attrs["axes"] == '{"alpha":[0.05,0.2],"batch":[1,4,9],"beta":[0.0,0.9],"condition_number":[2,100]}'


def test_options_of_a_schedule_are_axes():
    options = {"steps": 20, "trajectories": 64, "record": 5}
    made = ol.simulate(
        "sgd", "quadratic(condition_number=5, noise=1)", schedule="cosine(peak=0.1, steps=20)", axes={"peak": [0.05, 0.4]}, **options
    )
    for peak in (0.05, 0.4):
        alone = ol.simulate("sgd", "quadratic(condition_number=5, noise=1)", schedule=f"cosine(peak={peak}, steps=20)", **options)
        assert np.array_equal(made.loss_mean.sel(peak=peak), alone.loss_mean)
        assert np.array_equal(made.learning_rate.sel(peak=peak), alone.learning_rate, equal_nan=True)


def test_variants_words_and_arrays_are_values_of_axes():
    made = ol.simulate(
        "adam", "quadratic(condition_number=5, noise=1)", schedule=0.1, steps=9, trajectories=64,
        axes={"eps_placement": ["inside", "outside"], "noise": np.array([0.5, 1.0])},
    )  # fmt: skip
    assert made.eps_placement.values.tolist() == ["inside", "outside"]
    alone = ol.simulate("adam(eps_placement=outside)", "quadratic(condition_number=5, noise=0.5)", schedule=0.1, steps=9, trajectories=64)
    assert np.array_equal(made.loss_mean[1, 0], alone.loss_mean)
    back = from_netcdf(to_netcdf(made))
    assert back.eps_placement.values.tolist() == ["inside", "outside"]


def test_tables_and_expressions_have_axes():
    rows = np.random.default_rng(1).normal(size=(9, 2))
    make = lambda sampling: ol.problems.least_squares(rows, rows @ [1.0, -1.0] + 0.3, sampling=sampling)  # noqa: E731
    options = {"schedule": 0.1, "steps": 5, "batch": 2, "trajectories": 64}
    made = ol.simulate("sgd", make("replacement"), axes={"sampling": ["subset", "reshuffle"]}, **options)
    for sampling in ("subset", "reshuffle"):
        assert np.array_equal(made.loss_mean.sel(sampling=sampling), ol.simulate("sgd", make(sampling), **options).loss_mean)
    text = "symbolic('x**2 + w**4', theta0={})"
    made = ol.simulate("sgd", text.format("[1, 1]"), axes={"theta0": [0.5, 2.0]}, **options)
    assert np.array_equal(made.loss_mean[1], ol.simulate("sgd", text.format("[2, 2]"), **options).loss_mean)


BAD = {
    "unknown": ({"betta": [0.1]}, "unknown axis 'betta'.*beta"),
    "ambiguous": ({"beta": [0.5]}, "axis beta is an option of the rule and of the schedule: write rule.beta or schedule.beta"),
    "empty": ({"alpha": []}, r"axis alpha = \[\] needs a list of at least one value"),
    "twice": ({"alpha": [0.1, 0.1]}, "axis alpha holds a value twice"),
    "text": ({"alpha": "0.1"}, "axis alpha = '0.1' needs a list"),
    "number": ({"alpha": 0.1}, "axis alpha = 0.1 needs a list"),
    "no option of the place": ({"rule.peak": [1]}, "unknown option of the rule 'peak'"),
    "value out of range": ({"beta": [0.5, 1.5]}, "momentum: beta = 1.5 is out of range"),
    "batch out of range": ({"batch": [0]}, "batch = 0"),
    "spectrum of numbers": ({"condition_number": [0.5]}, "condition_number = 0.5"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_axes_are_refused_in_one_line(case):
    axes, message = BAD[case]
    beta = symbol("beta")
    schedule = Schedule(name="decay", expression=beta / (time + 1), parameters={beta: Parameter(1)}) if case == "ambiguous" else 0.1
    with pytest.raises(InputError) as caught:
        ol.simulate("momentum", "quadratic(condition_number=5)", schedule=schedule, steps=1, trajectories=1, axes=axes)
    assert re.search(message, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)
