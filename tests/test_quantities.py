"""Results name their numbers: every variable of every public result has a name to show and a unit, and keeps them in files."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import optlab as ol
from optlab.ensemble.netcdf import from_netcdf, to_netcdf
from optlab.quantities import MEANINGS, labeled, meaning
from tests.labels import lacking

QUADRATIC = ol.problems.quadratic(condition_number=10, dim=2, noise=0.5)
TABLE = (np.column_stack([np.arange(30.0) % 7, np.arange(30.0) % 5]), np.arange(30.0) % 4)
EVERYTHING = {"reach": [0.5, 0.1], "keep": 2, "outcomes": True, "coordinates": True}
COMMITTED = sorted((Path(__file__).parents[1] / "reports").glob("*/*.nc"))


def budget():
    return ol.final_loss("sgd", QUADRATIC, schedule=0.1, steps=20, batches=[1, 2, 4])


RESULTS = {
    "simulate": lambda: ol.simulate("momentum", QUADRATIC, schedule=0.1, steps=5, trajectories=70, **EVERYTHING),
    "simulate, axes": lambda: ol.simulate(
        "momentum", QUADRATIC, schedule=0.1, steps=5, trajectories=70, axes={"beta": [0.0, 0.9], "condition_number": [2, 4]}, **EVERYTHING
    ),
    "predict": lambda: ol.predict("momentum", QUADRATIC, schedule=0.1, steps=5, coordinates=True),
    "predict, student": lambda: ol.predict(
        "sgd", ol.problems.quadratic(condition_number=10, dim=2, noise=0.5, noise_law="student_t(dof=5)"), schedule=0.1, steps=5
    ),
    "predict, rows": lambda: ol.predict("sgd", ol.problems.least_squares(*TABLE), schedule=0.01, steps=5, batch=3),
    "budget": budget,
    "train": lambda: ol.train("linear", data=TABLE, rule="sgd", schedule="constant", alpha=0.1, epochs=2, batch=5),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_number_of_a_result_has_a_name_and_a_unit(name):
    found = RESULTS[name]()
    assert lacking(found) == []
    again = from_netcdf(to_netcdf(found))
    assert lacking(again) == []
    assert {str(key): one.attrs for key, one in again.variables.items()} == {str(key): one.attrs for key, one in found.variables.items()}
    sizes = {one.dims for one in found.data_vars.values()}
    for dims in sizes - {()}:
        frame = found[[str(key) for key, one in found.data_vars.items() if one.dims == dims]].to_dataframe()
        assert len(frame) == np.prod([found.sizes[dim] for dim in dims])


def test_files_of_the_reports_are_there():
    assert len(COMMITTED) > 25


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_files_beside_the_reports_say_what_they_hold(path):
    with xr.open_dataset(path, engine="scipy", decode_times=False) as opened:
        assert lacking(opened) == []


def test_what_a_variable_says_itself_stays():
    own = {"long_name": "mine", "units": "m"}
    data = labeled(xr.Dataset({"loss": ("step", [1.0], own), "odd": ("step", [2.0])}, {"step": [0], "name": ("step", ["a"])}))
    assert data.loss.attrs == own
    assert "long_name" not in data.odd.attrs, "an unknown variable is not given a name that says nothing"
    assert data.name.attrs == {"long_name": "name"}
    assert lacking(data) == ["odd"]


def test_meanings_are_words():
    assert all(len(text) > 2 and not text.endswith(".") for text in MEANINGS.values())
    assert meaning("final_learning_rate") == "learning rate of the step that starts here, of the finals"
    assert meaning("final_nothing") == meaning("nothing") == ""
