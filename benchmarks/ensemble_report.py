"""The tables of ``benchmarks/results/ensemble.md``."""

import datetime
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks import peers_cpp

PACKAGES = ("optlab", "numpy", "numba", "llvmlite", "jax", "jaxlib", "torch")


def processor():
    """The name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def versions():
    """The packages that take part, with their versions."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def goals(case):
    """Contestant, which way round the ratio is, and its goal: optlab/C++ at most, the others over optlab at least."""
    if case.table:
        return {"C++": 1.1}
    double = case.dtype == "float64"
    jax = 3.5 if case.dim == 1 else 10 if double else 4.5
    return {"C++": 1.4 if case.dim == 1 else 1.15, "NumPy": 6 if double else 8, "JAX": jax}


def ratio(case, timings, other):
    """``(ratio, goal or None, met)`` of optlab against another contestant, None where one of them is missing."""
    if "optlab" not in timings or other not in timings:
        return None
    ours, theirs = timings["optlab"].rounds, timings[other].rounds
    pairs = zip(ours, theirs, strict=True)  # of the same round
    value = median(a / b if other == "C++" else b / a for a, b in pairs)
    goal = goals(case).get(other)
    return value, goal, None if goal is None else (value <= goal if other == "C++" else value >= goal)


def ratio_table(results, other):
    """One table of ratios by dimension, rule and dtype."""
    rows = []
    for case, timings in results.items():
        found = ratio(case, timings, other)
        if found is not None:
            value, goal, met = found
            mark = "" if goal is None else f"{'<=' if other == 'C++' else '>='} {goal:g} | {'yes' if met else 'no'}"
            rows.append(f"| {case.name} | {value:.2f} | {mark or ' | '} |")
    if not rows:
        return ""
    title = "optlab / C++" if other == "C++" else f"{other} / optlab"
    return f"## {title}\n\n| configuration | ratio | goal | met |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def raw_table(results):
    """Nanoseconds per coordinate-update of everyone, with quartiles."""
    names = list(dict.fromkeys(name for timings in results.values() for name in timings))
    lines = [f"| configuration | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for case, timings in results.items():
        cells = []
        for name in names:
            if name in timings:
                low, high = timings[name].quartiles
                cells.append(f"{timings[name].median:.2f} ({low:.2f}-{high:.2f})")
            else:
                cells.append("")
        lines.append(f"| {case.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cost_table(costs):
    """What surrounds the kernel."""
    if not costs:
        return ""
    lines = ["## Around the kernel\n", "| what | median | range | goal | met |", "|---|---|---|---|---|"]
    for cost in costs:
        if cost.figures:
            goal = "" if cost.goal is None else f"{'>=' if cost.at_least else '<='} {cost.goal:g} {cost.unit}"
            low, high = min(cost.figures), max(cost.figures)
            lines.append(f"| {cost.what} | {median(cost.figures):.3g} {cost.unit} | {low:.3g}-{high:.3g} | {goal} | {cost.met} |")
        else:
            lines.append(f"| {cost.what} | | | | |")
    return "\n".join(lines) + "\n"


def summary(results):
    """How many configurations meet each goal."""
    lines = []
    for other in ("C++", "NumPy", "JAX"):
        marks = [found[2] for case, timings in results.items() if (found := ratio(case, timings, other)) and found[2] is not None]
        if marks:
            lines.append(
                f"- {'optlab / C++' if other == 'C++' else f'{other} / optlab'}: {sum(marks)} of {len(marks)} configurations meet the goal."
            )
    return "\n".join(lines)


def render(results, costs, notes, rounds, worst, clock):
    """The whole document."""
    tables = "\n".join(filter(None, (ratio_table(results, other) for other in ("C++", "NumPy", "JAX", "torch", "torch.compile"))))
    checked = "not verified in this run" if worst is None else f"verified first; the largest z of a mean loss was {worst:.1f}"
    try:
        gxx = f"{peers_cpp.compiler()}, {' '.join(peers_cpp.FLAGS)}"
    except (OSError, RuntimeError):
        gxx = "no g++"
    command = " ".join(["python -m benchmarks.ensemble", *sys.argv[1:]])
    return f"""# The ensemble engine beside C++, NumPy, JAX and PyTorch

{datetime.date.today()}, {processor()}, {platform.system()}, Python {platform.python_version()}; {versions()}; {gxx}.
Command: `{command}`.
Nanoseconds per coordinate-update ({clock} time over trajectories x steps x d) on one pinned core; medians of {rounds} rounds, in each of
which all contestants of a configuration ran in turn. Ratios are medians of the ratios within a round.
Quadratics: f = 1/2 sum lam theta^2, lam log-spaced in [1/100, 1], theta_0 = 1, unit Gaussian gradient noise drawn fresh for every
trajectory, step and coordinate; mean and variance of the loss at every 10th step. Rows: least squares on 1000 rows, 16 drawn with
replacement each step, loss of the whole table at the start and at the end. Contestants were {checked}.

{summary(results)}

{tables}
{cost_table(costs)}
## Nanoseconds per coordinate-update: median (quartiles)

{raw_table(results)}

{chr(10).join(f"- {note}" for note in notes)}
"""
