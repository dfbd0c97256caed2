"""``optlab train``: one training run, as netCDF and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from optlab.cli.options import BackendOption, DataDirOption, LabelOption, ThreadsOption, rule_names, schedule_names
from optlab.cli.output import number, print_json, print_table, progress_bar, warn


def train(
    model: Annotated[
        str, typer.Argument(help="resnet8, resnet20, ..., mlp, logistic, linear, or a call such as 'resnet20(norm=layer)'.")
    ] = "resnet20",
    data: Annotated[str, typer.Option(help="cifar10, 'synthetic(training=2000)', or a table: FILE.csv (with --target).")] = "cifar10",
    data_dir: DataDirOption = None,
    label: LabelOption = None,
    target: Annotated[str | None, typer.Option(help="The column of a table to predict.", show_default=False)] = None,
    columns: Annotated[str | None, typer.Option(help="Features of a table to use (default: all others).", show_default=False)] = None,
    drop_missing: Annotated[bool, typer.Option("--drop-missing", help="Drop rows of a table with missing cells.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Leave a table's features as they are (else mean 0, deviation 1).")] = False,
    rule: Annotated[str, typer.Option(help="A rule: name, 'name(option=value)' or file.py:NAME.", autocompletion=rule_names)] = "momentum",
    schedule: Annotated[
        str,
        typer.Option(
            help="constant, cosine, warmup_cosine, one_cycle, ..., or a call; length and peak are filled in.", autocompletion=schedule_names
        ),
    ] = "warmup_cosine",
    alpha: Annotated[
        float | None, typer.Option(help="Learning rate: that of a constant schedule, the largest of another.", show_default=False)
    ] = None,
    warmup: Annotated[int | None, typer.Option(help="Steps of the rise (default: a twentieth of the run).", show_default=False)] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = 30,
    batch: Annotated[int, typer.Option(help="Samples per step.")] = 128,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    training: Annotated[
        int | None, typer.Option(help="Images to train on, evenly from the classes (default: all that are left).", show_default=False)
    ] = None,
    validation: Annotated[
        int | None, typer.Option(help="Samples kept for validation (default: a tenth of images, a fifth of rows).", show_default=False)
    ] = None,
    augment: Annotated[bool, typer.Option("--augment/--plain", help="Random crops and mirror images, or images as they are.")] = True,
    decay_all: Annotated[bool, typer.Option("--decay-all", help="Weight decay acts on norms and biases too.")] = False,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    probe: Annotated[int, typer.Option(help="Batches that measure the gradient noise after each epoch (0: none).")] = 8,
    backend: BackendOption = "cpu",
    precision: Annotated[str, typer.Option(help="full, or bf16: ResNets on CUDA's tensor cores, with float32 weights.")] = "full",
    threads: ThreadsOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint of an interrupted run, if there is one.")] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The file that keeps the run's state (default: OUT.part).", show_default=False)
    ] = None,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Look at the test part once, at the best epoch's weights.")] = True,
    out: Annotated[Path, typer.Option(help="netCDF file to write; the figure goes beside it as .png.")] = Path("training.nc"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Train a model on images or on a table; Ctrl-C keeps the best and the last weights, --resume goes on to the same bits.

    Example: optlab train resnet20 --data-dir data --rule momentum --alpha 0.1 --epochs 30

    optlab train linear --data table.csv --target y --rule sgd --schedule constant --alpha 0.1
    """
    from optlab.cli.values import check_output
    from optlab.errors import Interrupted
    from optlab.training.train import prepare

    check_output(out)
    kept = checkpoint if checkpoint is not None else out.with_name(out.name + ".part")
    with progress_bar(model) as bar:
        if bar:
            bar(0, 0, "reading, compiling")
        prepared = prepare(
            model, data=data, data_dir=data_dir, label=label, target=target, drop_missing=drop_missing, standardize=not raw,
            columns=None if columns is None else [name.strip() for name in columns.split(",")],
            rule=rule, schedule=schedule, alpha=alpha, warmup=warmup, epochs=epochs, batch=batch, rng=seed,
            training=training, validation=validation, augment=augment, decay_all=decay_all, dtype=dtype, probe=probe, threads=threads,
            backend=backend, precision=precision, checkpoint=kept, progress=bar,
        )  # fmt: skip
        try:
            run = prepared.run(resume, test)
        except Interrupted as error:
            part = prepared.dataset(error.progress, prepared.learner.weights())  # type: ignore[attr-defined]
            _write(part, out)
            raise Interrupted(f"{error}; best and last weights so far are in {out}") from None
    _write(run, out)
    kept.unlink(missing_ok=True)
    figure = _draw(run, out)
    _show(run, out, figure, json)
    return 0


def _write(run: Any, out: Path) -> None:
    from optlab.ensemble.netcdf import to_netcdf
    from optlab.errors import OptlabError
    from optlab.files import mend, write_atomically

    try:
        write_atomically(out, to_netcdf(run))
    except OSError as error:
        raise OptlabError(f"cannot write {error.filename or out}: {error.strerror}; {mend(error)}") from None


def _draw(run: Any, out: Path) -> Path | None:
    """The curves beside the file, unless there is nothing to draw."""
    from optlab.reporting.figures.training import draw_training
    from optlab.reporting.style import style

    path = out.with_suffix(".png")
    try:
        with style():
            draw_training(run).savefig(path, dpi=140)
    except OSError as error:
        warn(f"cannot write {path}: {error.strerror}")
        return None
    return path


def _show(run: Any, out: Path, figure: Path | None, json: bool) -> None:
    from optlab.training.measures import MEANINGS

    if json:
        document = {key: value for key, value in run.attrs.items() if key not in ("spec", "elapsed", "Conventions", "source")}
        document |= {"epoch": run.epoch.values} | {name: run[name].values for name in MEANINGS if name in run}
        document |= {name: float(run[name]) for name in ("test_loss", "test_accuracy") if name in run}
        document |= {name: int(run[name]) for name in ("best_epoch", "diverged_at")}
        if "coefficient" in run:
            document["coefficients"] = dict(zip(map(str, run.column.values), run.coefficient.values.tolist(), strict=True))
        print_json(document | {"output": str(out), "figure": None if figure is None else str(figure)}, elapsed=run.attrs["elapsed"])
        return
    names = [name for name in MEANINGS if name in run and name not in ("gradient_trace", "gradient_square")]
    heads = ["epoch", *(name.replace("_", " ").replace("validation", "val.") for name in names)]
    rows = [[int(e), *(number(float(run[name].sel(epoch=e)), 4) for name in names)] for e in shown_epochs(run)]
    attrs = run.attrs
    title = f"{attrs['model']} on {attrs['data']}: {attrs['rule']}, {attrs['schedule']}, batch {attrs['batch']}"
    print_table(title, heads, rows, words=())
    if "coefficient" in run:
        print_table(
            "coefficients", ("column", "value"), [(str(c), number(float(run.coefficient.sel(column=c)), 6)) for c in run.column.values]
        )
    print(f"{attrs['outcome']}; {attrs['elapsed']:.0f} s; best epoch {int(run.best_epoch)}" + _test_line(run))
    print(f"wrote {out}" + (f" and {figure}" if figure else ""))


def shown_epochs(run: Any, most: int = 12) -> list[int]:
    """The epochs to print: all of few, else evenly chosen ones with the first, the last and the best."""
    epochs = [int(e) for e in run.epoch.values]
    if len(epochs) <= most:
        return epochs
    chosen = {epochs[round(k * (len(epochs) - 1) / (most - 1))] for k in range(most)}
    return sorted(chosen | ({int(run.best_epoch)} & set(epochs)))


def _test_line(run: Any) -> str:
    if "test_accuracy" not in run:
        return ""
    return f", and with its weights {float(run.test_accuracy):.2%} of the test part right"
