"""``optlab simulate``: an ensemble of runs, or a grid of ensembles, as netCDF and a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from optlab.cli.options import BackendOption, ThreadsOption, problem_names, rule_names, schedule_names
from optlab.cli.output import number, print_json, print_table, progress_bar


def simulate(
    rule: Annotated[str, typer.Option(help="A rule: name, 'name(option=value)' or file.py:NAME.", autocompletion=rule_names)] = "sgd",
    problem: Annotated[
        str,
        typer.Option(
            help="Such as 'quadratic(condition_number=100, dim=10, noise=1)', 'line_fit()' or \"symbolic('x**2 + 10*y**2')\".",
            autocompletion=problem_names,
        ),
    ] = ("quadratic(condition_number=100, dim=10, noise=1)"),
    alpha: Annotated[float | None, typer.Option(help="Constant learning rate.", show_default=False)] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Such as 'cosine(peak=0.1, steps=1000)'.", show_default=False, autocompletion=schedule_names)
    ] = None,
    steps: Annotated[int, typer.Option(help="Steps of each run.")] = 1000,
    batch: Annotated[int, typer.Option(help="Samples per gradient.")] = 1,
    trajectories: Annotated[int, typer.Option(help="Independent runs.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    backend: BackendOption = "cpu",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    record: Annotated[str, typer.Option(help="Recorded steps: linear, log, how many, or a list such as 0,10,100.")] = "linear",
    quantiles: Annotated[str, typer.Option(help="Levels of the quantiles of the loss.")] = "0.05,0.25,0.5,0.75,0.95",
    reach: Annotated[
        str, typer.Option(help="Levels of the loss whose first-passage times to follow, such as 0.1,0.01.", show_default=False)
    ] = "",
    axis: Annotated[
        list[str] | None,
        typer.Option(help="A parameter axis, such as alpha=0.01,0.1 or condition_number=10,100; repeat for a grid.", show_default=False),
    ] = None,
    keep: Annotated[int, typer.Option(help="Whole trajectories to keep in the file.")] = 0,
    uniform_bits: Annotated[int, typer.Option(help="32 or 53: bits behind the size of a normal number (tails to 6.8 or 8.6).")] = 32,
    memory: Annotated[
        str, typer.Option(help="Memory the launch may use, such as 500MB (default: half of the machine's).", show_default=False)
    ] = "",
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Keeps what is done when interrupted (default: OUT.part); the same command goes on.", show_default=False),
    ] = None,
    threads: ThreadsOption = None,
    out: Annotated[Path, typer.Option(help="netCDF file to write; the figure goes beside it as .png.")] = Path("simulation.nc"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Simulate many runs; where the rule is linear, hold them against the exact prediction. Ctrl-C keeps what is done.

    Example: optlab simulate --rule adam --alpha 0.01 --trajectories 100000 --out adam.nc

    optlab simulate --rule momentum --alpha 0.1 --axis alpha=0.03,0.1,0.3 --axis beta=0,0.5,0.9 --reach 0.5,0.1

    optlab simulate --rule adam --alpha 0.01 --trajectories 1000000 --steps 10000
    """
    from optlab import simulate as run_simulation
    from optlab.cli.values import axes_of, check_output, numbers, size_of
    from optlab.errors import InputError, Interrupted

    if (alpha is None) == (schedule is None):
        raise InputError("give the learning rate once: --alpha 0.1, or --schedule 'cosine(peak=0.1, steps=1000)'")
    check_output(out)
    options: dict[str, Any] = {
        "schedule": schedule if alpha is None else alpha, "steps": steps, "batch": batch, "trajectories": trajectories,
        "rng": seed, "dtype": dtype,
        "record": int(record) if record.isdecimal() else numbers(record, "--record", int) if "," in record else record,
    }  # fmt: skip
    kept = checkpoint if checkpoint is not None else out.with_name(out.name + ".part")
    progress = {"done": 0, "total": 0}
    axes = axes_of(axis or [])
    try:
        with progress_bar("simulate") as bar:

            def report(done: int, total: int) -> None:
                progress.update(done=done, total=total)
                if bar:
                    bar(done, total, "")

            run = run_simulation(
                rule, problem, threads=threads, progress=report, checkpoint=kept, quantiles=numbers(quantiles, "--quantiles"),
                reach=numbers(reach, "--reach"), keep=keep, uniform_bits=uniform_bits, axes=axes or None, backend=backend,
                memory=size_of(memory) if memory else None, **options,
            )  # fmt: skip
    except KeyboardInterrupt:
        if kept.exists():
            done = f"{progress['done']:,} of {progress['total']:,} trajectories" if progress["total"] else "what was finished"
            raise Interrupted(f"interrupted; {done} are kept in {kept}: the same command goes on from there") from None
        raise
    if axes:
        from optlab.cli.grids import show_grid

        return show_grid(run, out, json)
    return _show(run, rule, problem, options, out, json, trajectories, record == "log")


def _show(run: Any, rule: str, problem: str, options: dict[str, Any], out: Path, json: bool, trajectories: int, log_steps: bool) -> int:
    """Hold one ensemble against the exact prediction, write it, draw it, print it."""
    from optlab import predict as exact_prediction
    from optlab.ensemble.agreement import compare, has_threshold
    from optlab.ensemble.netcdf import to_netcdf
    from optlab.errors import OptlabError, UnsupportedError
    from optlab.files import mend, write_atomically
    from optlab.reporting.figures.loss_curve import draw_loss_curve
    from optlab.reporting.style import new_figure, style

    prediction = None
    if options["dtype"] == "float64":
        try:
            prediction = exact_prediction(rule, problem, **options)
        except UnsupportedError:
            prediction = None
    agreement = compare(run, prediction) if prediction is not None and has_threshold(prediction) else None
    data = run if prediction is None else run.assign(loss_exact=prediction.loss_mean)
    try:
        write_atomically(out, to_netcdf(data))
        with style():
            figure = new_figure(7.6, 5.0)
            ax = draw_loss_curve(run, prediction, ax=figure.subplots(), log_steps=log_steps)
            ax.set(
                xlabel="step",
                ylabel="loss − minimum" if "minimum" in run.attrs else "loss",
                title=f"{run.attrs['rule']} on {run.attrs['problem']}"[:80],
            )
            figure.savefig(out.with_suffix(".png"), dpi=140)
    except OSError as error:
        raise OptlabError(f"cannot write {error.filename or out}: {error.strerror}; {mend(error)}") from None
    levels = list(run["quantile"].values) if "loss_quantile" in run else []
    if json:
        keys = ("loss_mean", "loss_variance", "loss_standard_error", "diverged")
        document = {key: run.attrs[key] for key in ("rule", "problem", "schedule", "steps", "trajectories", "batch", "seed", "dtype")}
        document |= {"step": run.step.values} | {key: run[key].values for key in keys}
        document["quantiles"] = {f"{q:g}": run.loss_quantile.sel(quantile=q).values for q in levels}
        if "reached" in run:
            document["level"], document["reached"] = run.level.values, run.reached.values
            document["passage_quantiles"] = {f"{q:g}": run.passage_quantile.sel(quantile=q).values for q in levels}
        if prediction is not None:
            document["loss_exact"] = prediction.loss_mean.values
        if agreement is not None:
            document |= {"largest_z": agreement.largest, "z_limit": agreement.threshold, "agrees": agreement.holds}
        print_json(document | {"output": str(out), "figure": str(out.with_suffix(".png"))})
    else:
        shown = sorted({round(k * (len(run.step) - 1) / 10) for k in range(11)})
        rows = []
        for i in shown:
            at = run.isel(step=i)
            spread = f"{number(float(at.loss_quantile[0]), 4)} .. {number(float(at.loss_quantile[-1]), 4)}" if levels else "-"
            exact = number(float(prediction.loss_mean[i])) if prediction is not None else "-"
            rows.append(
                (
                    int(at.step),
                    number(float(at.loss_mean)),
                    number(1.96 * float(at.loss_standard_error), 2),
                    exact,
                    spread,
                    int(at.diverged),
                )
            )
        title = f"{run.attrs['rule']} on {run.attrs['problem']}, {run.attrs['schedule']}: loss over {trajectories:,} runs"
        print_table(
            title,
            ("step", "mean", "± 95 %", "exact", f"{levels[0]:.0%} .. {levels[-1]:.0%} of runs" if levels else "quantiles", "diverged"),
            rows,
            words=(),
        )
        if "passage_quantile" in run:
            times = [[f"{float(v):g}", *(number(float(t)) for t in run.passage_quantile.sel(level=v)), int(run.reached.sel(level=v)[-1])]
                     for v in run.level.values]  # fmt: skip
            print_table(
                "steps until the loss is first at or below a level", ("level", *(f"{q:.0%}" for q in levels), "reached"), times, words=()
            )
        if agreement is not None:
            word = "agrees with" if agreement.holds else "DISAGREES with"
            word = word if agreement.points else "has no random point to hold against"
            word = word if math.isfinite(agreement.threshold) else "has too few runs to be told from"
            print(f"simulation {word} theory: largest |z| {agreement.largest:.2f}, limit {agreement.threshold:.2f}")
        print(f"wrote {out} and {out.with_suffix('.png')}")
    return 0 if agreement is None or agreement.holds else 1
