"""Training real models: tables against closed forms, images of textures, resumed runs, requests that cannot be met."""

import signal

import numpy as np
import pytest
import xarray as xr

import optlab as ol
import optlab.data as data
from optlab.ensemble.netcdf import from_netcdf, to_netcdf
from optlab.errors import InputError, Interrupted, MissingDependencyError, UnknownNameError
from optlab.training.train import prepare

RNG = np.random.default_rng(0)
X = RNG.normal([1.0, -3.0], [2.0, 0.5], (120, 2))
Y = X @ [0.7, -1.2] + 4 + 0.1 * RNG.standard_normal(120)
LINE = {"rule": "sgd", "schedule": "constant", "alpha": 0.3, "batch": 24, "dtype": "float64", "probe": 0}


def same(one, two):
    xr.testing.assert_identical(one.drop_attrs(), two.drop_attrs())


def test_a_linear_model_finds_the_least_squares_fit():
    """Full batches, so that gradient descent converges to the normal equations' solution on the training rows."""
    options = LINE | {"batch": 96, "epochs": 400}
    run = ol.train("linear", data=(X, Y), **options)
    task = prepare("linear", data=(X, Y), **options).task
    rows = np.isin(Y, task.feed.training[1])
    expected = np.linalg.lstsq(np.c_[X, np.ones(120)][rows], Y[rows], rcond=None)[0]
    np.testing.assert_allclose(run.coefficient, expected, rtol=1e-9)
    residual = Y[~rows] - np.c_[X, np.ones(120)][~rows] @ expected
    assert float(run.validation_loss[-1]) == pytest.approx(np.mean(residual**2) / 2, rel=1e-9)
    assert run.column.values.tolist() == ["x0", "x1", "(intercept)"]
    assert "validation_accuracy" not in run


def test_a_logistic_model_against_newtons_method():
    """Two classes, full batches: the probabilities are those of the maximum-likelihood fit."""
    labels = (X[:, 0] + RNG.normal(0, 2, 120) > 1).astype(int)
    run = ol.train("logistic", data=(X, labels), **(LINE | {"batch": 96, "epochs": 3000, "alpha": 1.0}))
    x, y = prepare("logistic", data=(X, labels), **(LINE | {"batch": 96})).task.feed.training
    design, theta = np.c_[x, np.ones(len(x))], np.zeros(3)
    for _ in range(30):
        p = 1 / (1 + np.exp(-design @ theta))
        theta += np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]), design.T @ (y - p))
    p = 1 / (1 + np.exp(-design @ theta))
    assert float(run.train_loss[-1]) == pytest.approx(-np.mean(np.log(np.where(y == 1, p, 1 - p))), rel=1e-9)
    assert float(run.train_accuracy[-1]) == pytest.approx(np.mean((p > 0.5) == y))


IMAGES = {"data": "synthetic(training=200, test=40, size=16)", "batch": 20, "epochs": 3, "alpha": 0.1, "validation": 20, "probe": 2}


@pytest.fixture(scope="module")
def whole():
    return ol.train("resnet8", threads=1, **IMAGES)


def test_a_network_learns_textures(whole):
    run = ol.train("resnet8", **(IMAGES | {"data": "synthetic(training=600, test=200, size=16)", "epochs": 6, "probe": 0}))
    assert float(run.test_accuracy) > 0.6  # a linear softmax stays below 0.3
    assert float(run.train_loss[-1]) < float(run.train_loss[0]) / 2
    assert run.attrs["outcome"] == "finished"
    assert whole.sizes["epoch"] == 3


def test_threads_change_no_bit(whole):
    same(ol.train("resnet8", threads=2, **IMAGES), whole)


@pytest.mark.parametrize("stop", [4, 9, 20])
def test_a_resumed_run_is_the_same_bits(tmp_path, whole, stop):
    def interrupt(done, total, label):
        if done == stop:
            signal.raise_signal(signal.SIGINT)

    kept = tmp_path / "kept"
    with pytest.raises(Interrupted, match="go on with --resume"):
        ol.train("resnet8", threads=1, checkpoint=kept, progress=interrupt, **IMAGES)
    assert kept.exists()
    with pytest.raises(InputError, match="belongs to another run"):
        ol.train("resnet8", checkpoint=kept, resume=True, **(IMAGES | {"alpha": 0.2}))
    same(ol.train("resnet8", threads=2, checkpoint=kept, resume=True, **IMAGES), whole)
    assert not kept.exists()


def test_the_best_weights_are_kept_and_tested_once(whole):
    """The test result is that of the best epoch's weights, by hand from the dataset."""
    from optlab import nn

    best = int(whole.best_epoch)
    assert float(whole.validation_accuracy.sel(epoch=best)) == float(whole.validation_accuracy.max())
    images = data.synthetic(200, 40, size=16)
    used, aside = images.split(20, seed=0)
    trainer = nn.Trainer(nn.resnet(8, side=16), "momentum", batch=40, threads=1)
    trainer.parameters[:], trainer.running[:] = whole.best_parameters.values, whole.best_running.values
    feed = data.ImageBatches(used, batch=20, seed=0)
    for part, accuracy in ((aside, whole.validation_accuracy.sel(epoch=best)), (images.test, whole.test_accuracy)):
        ((pixels, labels),) = feed.plain(part, 40)
        assert trainer.evaluate(pixels, labels).correct / len(labels) == float(accuracy)


def test_a_result_survives_its_file(whole):
    back = from_netcdf(to_netcdf(whole))
    np.testing.assert_array_equal(back.best_parameters, whole.best_parameters)
    np.testing.assert_array_equal(back.validation_loss, whole.validation_loss)
    assert back.attrs["outcome"] == "finished"


def test_divergence_is_a_result():
    run = ol.train("linear", data=(X, Y), **(LINE | {"alpha": 100.0, "epochs": 300}))
    assert int(run.diverged_at) > 0
    assert run.attrs["outcome"] == f"diverged at step {int(run.diverged_at)}"
    assert np.isnan(run.validation_loss[-1])
    assert int(run.best_epoch) >= 1


def test_seeds_and_rules_are_other_runs():
    runs = [ol.train("linear", data=(X, Y), epochs=2, **(LINE | more)) for more in ({}, {"rng": 1}, {"rule": "adam"})]
    losses = {float(run.train_loss[-1]) for run in runs}
    assert len(losses) == 3


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("resnet2", {"data": "synthetic"}, "unknown model 'resnet2'"),
        ("resnet8(3)", {"data": "synthetic"}, "options go by name"),
        ("resnet8(norms=1)", {"data": "synthetic", "alpha": 0.1}, "norms"),
        ("resnet8(norm=group)", {"data": "synthetic", "alpha": 0.1}, "group"),
        ("resnet8", {"data": (X, Y.round()), "alpha": 0.1}, "needs square images"),
        ("resnet8", {"data": "synthetic(size=12)", "alpha": 0.1}, "side = 12"),
        ("linear", {"data": "synthetic", "alpha": 0.1}, "learns numbers"),
        ("logistic", {"data": (X, Y)}, "not whole, so they are no classes"),
        ("linear", {"data": (X, Y), "epochs": 0}, "epochs"),
        ("linear", {"data": (X, Y), "batch": 0}, "batch"),
        ("linear", {"data": (X, Y), "rng": -1}, "no seed"),
        ("linear", {"data": (X, Y), "dtype": "float16"}, "dtype"),
        ("linear", {"data": (X, Y), "backend": "gpu"}, "unknown backend 'gpu'"),
        ("linear", {"data": (X, Y), "precision": "fp8"}, "unknown precision 'fp8'"),
        ("linear", {"data": (X, Y), "alpha": -1}, "peak = -1 is out of range"),
        ("linear", {"data": (X, Y), "schedule": "cosine"}, "give alpha"),
        ("linear", {"data": (X, Y), "rule": "adm", "alpha": 0.1}, "did you mean 'adam'"),
        ("linear", {"data": (X, Y), "alpha": 0.1, "epoch": 3}, "did you mean 'epochs'"),
        ("linear", {"data": (X, Y), "alpha": 0.1, "threads": 0}, "threads"),
        ("linear", {"data": (X, Y), "alpha": 0.1, "checkpoint": "/nowhere/x"}, "no folder"),
    ],
)
def test_requests_that_cannot_be_met_are_one_line(model, options, says):
    with pytest.raises((InputError, UnknownNameError)) as caught:
        ol.train(model, **options)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_device_one_line_says_so(monkeypatch):
    import optlab.codegen.cuda as codegen

    monkeypatch.setattr(codegen, "reason_without", lambda: "no NVIDIA driver answers")
    with pytest.raises(MissingDependencyError) as caught:
        ol.train("linear", data=(X, Y), backend="cuda", **LINE)
    assert str(caught.value) == "backend 'cuda': no NVIDIA driver answers"
    assert ol.train("linear", data=(X, Y), epochs=1, backend="auto", **LINE).attrs["backend"] == "cpu"
