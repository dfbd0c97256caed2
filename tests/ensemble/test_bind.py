"""From definitions to arrays: what is computed once and kept."""

import numpy as np
import pytest

import optlab as ol
from optlab.ensemble import bind


@pytest.fixture
def fits(monkeypatch):
    """How often a table is fitted."""
    counted = []
    solve = np.linalg.lstsq
    monkeypatch.setattr(bind, "_fits", {})
    monkeypatch.setattr(np.linalg, "lstsq", lambda *args, **options: counted.append(args[0].shape) or solve(*args, **options))
    return counted


def table(seed=0, **options):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(9, 2))
    return ol.problems.least_squares(rows, rows @ [1.0, -1.0] + rng.normal(size=9), **options)


def test_a_sweep_fits_its_table_once(fits):
    sweep = {"alpha": [0.01, 0.02, 0.03], "batch": [1, 2]}
    ol.simulate("sgd", table(), schedule=0.1, steps=2, trajectories=2, axes=sweep)
    assert fits == [(9, 2)]


def test_a_fit_is_the_datas_not_the_problems(fits):
    """Sampling and start change neither; other rows, another precision's cast, a copy of the same rows: told apart by their numbers."""
    first = bind.kernel_data(table(), "float64")
    again = bind.kernel_data(table(sampling="subset", theta0=3.0), "float32")
    assert len(fits) == 1
    np.testing.assert_array_equal(again.turn, first.turn.astype(np.float32))
    np.testing.assert_array_equal(again.curvature, first.curvature.astype(np.float32))
    other = bind.kernel_data(table(seed=1), "float64")
    assert len(fits) == 2
    assert not np.array_equal(other.curvature, first.curvature)


def test_what_is_kept_stays_small(fits, monkeypatch):
    monkeypatch.setattr(bind, "KEPT_FITS", 2)
    for seed in (0, 1, 2, 0):
        bind.kernel_data(table(seed), "float64")
    assert len(fits) == 4
    assert len(bind._fits) == 2
