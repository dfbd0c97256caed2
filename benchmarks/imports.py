"""What starting costs: ``import optlab`` and the command line's help, beside an interpreter that does nothing.

``python -m benchmarks.imports`` writes ``benchmarks/results/imports.md``. Processor time of new processes, taken in turn. Compiled files
are kept in a folder of their own, whatever the environment says about writing them, and a first round that is not counted fills it.
"""

from __future__ import annotations

import datetime
import os
import platform
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

ROUNDS = 31
BARE = "an interpreter that does nothing"
STARTS = {
    BARE: ("-c", "pass"),
    "`import optlab`": ("-c", "import optlab"),
    "`import typer.main`": ("-c", "import typer.main"),
    "`optlab --version`": ("-m", "optlab", "--version"),
    "`optlab --help`": ("-m", "optlab", "--help"),
    "`optlab simulate --help`": ("-m", "optlab", "simulate", "--help"),
}
OUT = Path(__file__).parent / "results" / "imports.md"


def seconds(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
    """Processor time of a new interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def modules(arguments: tuple[str, ...], environment: dict[str, str]) -> int:
    """How many modules are imported, by the lines of ``-X importtime``."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], env=environment, check=True, capture_output=True, text=True)
    return sum(line.startswith("import time:") for line in done.stderr.splitlines()) - 1  # the heading


def main() -> None:
    """Time every start, in turn."""
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
        counts = {name: modules(arguments, environment) for name, arguments in STARTS.items()}  # the round that fills the folder
        for _ in range(ROUNDS):
            for name, arguments in STARTS.items():
                times[name].append(seconds(arguments, environment))
    bare = min(times[BARE])
    rows = [
        f"| {name} | {1e3 * min(taken):.0f} | {1e3 * median(taken):.0f} | {min(taken) / bare:.1f} | {counts[name]} |"
        for name, taken in times.items()
    ]
    text = f"""# What starting costs

{datetime.date.today()}, Python {platform.python_version()}, typer {version("typer")}; {platform.machine()}, {os.cpu_count()} cores.
Command: `python -m benchmarks.imports`.
Milliseconds of processor time of {ROUNDS} new processes, taken in turn, with compiled files kept: least, median, and the least beside
that of an interpreter that does nothing. Modules as `-X importtime` counts them, those of the interpreter's own start included.

| | least | median | ratio | modules |
|---|---|---|---|---|
{chr(10).join(rows)}
"""
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
