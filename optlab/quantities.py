"""What the numbers of a result are: names and units in the style of the CF conventions, for whoever opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optlab._version import __version__

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.11"

#: name of a variable or coordinate -> what it is; its unit is 1 where :data:`UNITS` has no other
MEANINGS = {
    # what runs differ in
    "run": "number of the run", "trajectory": "number of the run", "seed": "seed", "rule": "update rule", "schedule": "schedule",
    "model": "model", "problem": "problem", "setting": "setting", "norm": "normalization", "batch": "samples of a mini-batch",
    "sampling": "how mini-batches are drawn", "noise": "standard deviation of the gradient noise", "noise_law": "law of the gradient noise",
    "dim": "number of coordinates", "condition_number": "condition number L/mu", "theta0": "start", "warmup": "steps of the rise",
    "width": "units of a hidden layer", "parameter": "hyper-parameter", "tuning": "how hyper-parameters are chosen",
    "orientation": "axes of the quadratic: along the coordinates, or rotated", "decay": "weight decay: decoupled, or in the gradient",
    "bias_correction": "bias correction", "convention": "convention of the loss: squared error, or half of it", "setup": "setup",
    "place": "place of the comparison", "stream": "stream of gradients", "range": "range of the gradients", "kind": "kind",
    "curve": "curve", "look": "time of the measurement", "multiple": "length of the run over that of 1-cycle",
    "claim": "the number that is claimed", "row": "row", "column": "column of the table",
    # along a run
    "step": "steps taken", "steps": "steps of the run", "epoch": "passes over the training part", "record": "number of the measurement",
    "quantile": "level of the quantile", "level": "loss to be reached", "coordinate": "coordinate of the parameters",
    "direction": "eigenvector of the curvature",
    "index": "number, from the largest", "end": "estimate, lower and upper end of its interval",
    # learning rates
    "alpha": "learning rate", "peak": "largest learning rate of the schedule",
    "learning_rate": "learning rate of the step that starts here",
    # losses
    "loss": "loss", "loss_mean": "mean loss over runs", "loss_variance": "variance of the loss over runs (divisor n - 1)",
    "loss_standard_error": "standard error of the mean loss", "loss_quantile": "quantiles of the loss over runs",
    "loss_min": "least loss of any run", "loss_max": "greatest loss of any run", "loss_exact": "exact expected loss",
    "diverged": "runs diverged by this step", "final_loss": "loss after the last step", "bound": "derived bound of the loss",
    "excess": "loss above the minimum", "theta": "parameters", "theta_mean": "mean of the parameters over runs",
    "theta_variance": "variance of the parameters over runs", "predicted": "exact expected loss", "simulated": "mean loss over runs",
    "standard_error": "standard error of the mean", "quantile_loss": "quantiles of the loss over runs", "mean": "mean over runs",
    "sd": "standard deviation over runs", "outcome": "what became of the runs", "share": "share", "shift": "change of the inputs",
    "mark": "accuracy to be reached",
    # of a training, by epoch
    "train_loss": "mean training loss of the epoch", "train_accuracy": "fraction right in training",
    "validation_loss": "validation loss after the epoch", "validation_accuracy": "fraction right on the validation part",
    "gradient_norm": "mean norm of the batch's gradient", "update_ratio": "mean of |change of the parameters| / |parameters|",
}  # fmt: skip

UNITS = {"batch": "samples"}

#: what a prefix says of the quantity behind it
PREFIXES = {"final": "of the finals", "setting": "of the settings", "schedule": "under the schedule", "error": "part of the error"}


def meaning(name: str) -> str:
    """What a name means, or nothing where it is not known.

    >>> meaning("final_validation_loss")
    'validation loss after the epoch, of the finals'
    """
    prefix, _, rest = name.partition("_")
    if name in MEANINGS:
        return MEANINGS[name]
    return f"{MEANINGS[rest]}, {PREFIXES[prefix]}" if prefix in PREFIXES and rest in MEANINGS else ""


def labeled(data: xr.Dataset) -> xr.Dataset:
    """The dataset itself, with ``long_name`` and ``units`` wherever a variable does not have them, ``Conventions`` and ``source``.

    A coordinate whose name is no quantity of its own (a hyper-parameter that varies) is called by its name. Text has no unit.

    >>> import xarray as xr
    >>> found = labeled(xr.Dataset({"loss_mean": ("step", [1.0, 0.5])}, {"step": [0, 10]}))
    >>> found.step.attrs, found.attrs["Conventions"]
    ({'long_name': 'steps taken', 'units': '1'}, 'CF-1.11')
    """
    for key, variable in data.variables.items():
        name = str(key)
        if "long_name" not in variable.attrs and (known := meaning(name) or (name.replace("_", " ") if name in data.coords else "")):
            variable.attrs["long_name"] = known
        if "units" not in variable.attrs and variable.dtype.kind in "iufb":
            variable.attrs["units"] = UNITS.get(name, "1")
    data.attrs.setdefault("Conventions", CONVENTIONS)
    data.attrs.setdefault("source", f"optlab {__version__}")
    return data
