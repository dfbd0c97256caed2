"""``optlab advise``: step sizes and schedules for a table of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optlab.cli.options import rule_names
from optlab.cli.output import number, print_json, print_table, progress_bar


def advise(
    table: Annotated[str, typer.Argument(help="A CSV file with a header line.", metavar="TABLE.csv")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    standardize: Annotated[bool, typer.Option("--standardize", help="Work with features of mean 0 and variance 1.")] = False,
    drop_missing: Annotated[bool, typer.Option("--drop-missing", help="Drop rows with empty, NaN or infinite cells.")] = False,
    columns: Annotated[
        str | None, typer.Option(help="Features to use, such as age,bmi (default: all but the target).", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(help="Rows per mini-batch.")] = 16,
    budget: Annotated[int | None, typer.Option(help="Steps of a run (default: 20 passes over the table).", show_default=False)] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="A rule to try; may be repeated (default: all).", show_default=False, autocompletion=rule_names)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    figure: Annotated[Path, typer.Option(help="Figure to write (.png or .svg); the curves go beside it as .nc.")] = Path("advice.png"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Spectrum, gradient noise, tuned step sizes and a schedule for a linear model of your own data.

    Example: optlab advise examples/data/diabetes.csv --target progression --standardize
    """
    from optlab import advise as give_advice
    from optlab.cli.values import check_output
    from optlab.ensemble.netcdf import to_netcdf
    from optlab.errors import OptlabError
    from optlab.files import mend, write_atomically

    check_output(figure, (".png", ".svg", ".pdf"), "--figure")
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    with progress_bar("advise") as progress:
        advice = give_advice(
            table, target=target, standardize=standardize, drop_missing=drop_missing, columns=names, batch=batch, budget=budget,
            rules=rule or (), rng=seed, progress=progress,
        )  # fmt: skip
    from optlab.reporting.figures.advice import draw_advice
    from optlab.reporting.style import style

    try:
        with style():
            draw_advice(advice.dataset()).savefig(figure, dpi=140)
        write_atomically(figure.with_suffix(".nc"), to_netcdf(advice.dataset()))
    except OSError as error:
        raise OptlabError(f"cannot write {error.filename or figure}: {error.strerror}; {mend(error)}") from None
    if json:
        print_json(advice.to_dict() | {"figure": str(figure)})
        return 0
    noise = advice.noise
    state = "standardized" if advice.standardized else "raw columns"
    print_table(
        f"{Path(advice.path).name}: {advice.n} rows, {advice.d - 1} features and an intercept ({state}), target {advice.target}",
        ("", ""),
        [
            ("curvature, smallest and largest", f"{number(advice.mu)}, {number(advice.L)}"),
            ("condition number", number(advice.condition_number)),
            ("  raw and standardized", f"{number(advice.condition_number_raw)}, {number(advice.condition_number_standardized)}"),
            ("gradient noise at the optimum, trace of one row's covariance", number(noise.trace_at_optimum)),
            ("gradient-noise scale at the start, tr C / |g|^2", f"{number(noise.simple)} rows"),
            ("gradient-noise scale of the floor, tr C / (2 L f*)", f"{number(noise.at_optimum)} rows"),
        ],
        words=(0, 1),
    )
    print()
    print_table(
        f"rules, {advice.budget} steps of batch {advice.batch}: best constant step, and the noiseless minimax tuning",
        ("rule", "best alpha", "excess loss", "found by", "noiseless alpha", "tuned", "rate per step"),
        [
            (
                item.rule.label(), number(item.alpha), number(item.excess), item.found_by, number(item.tuned_alpha),
                ", ".join(f"{key}={value:.4g}" for key, value in item.tuned_parameters.items()) or "-", number(item.rate, 6),
            )
            for item in advice.rules
        ],
        words=(0, 3, 5),
    )  # fmt: skip
    if advice.schedules:
        print()
        print_table(
            f"schedules, with {advice.schedule_rule}",
            ("schedule", "excess loss", "times less than constant"),
            [(item.schedule.label(), number(item.excess), number(item.gain, 3)) for item in advice.schedules],
        )
    if advice.recommended is not None:
        print(f'\nrecommended: {advice.schedule_rule} with schedule "{advice.recommended.schedule.label()}"')
    for note in advice.notes:
        print(f"note: {note}")
    print(f"wrote {figure} and {figure.with_suffix('.nc')}")
    return 0
