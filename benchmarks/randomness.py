"""Batteries of statistical tests of optlab's random numbers, fed with its words in each order in which simulations use them.

    python -m benchmarks.randomness --battery smallcrush                  # every order
    python -m benchmarks.randomness --battery crush --order trajectory --order lanes
    python -m benchmarks.randomness --battery practrand --order ensemble --gigabytes 64
    python -m benchmarks.randomness --battery dieharder --order interleaved
    python -m benchmarks.randomness --battery own --seed 1                # needs no other program

The rows of ``benchmarks/results/randomness.md`` that these runs are about are put in their place; its other rows stay.
smallcrush, crush and bigcrush need TestU01's headers and libraries and a C compiler (where they lie in a place of their own, its
path is in TESTU01), practrand its program RNG_test, dieharder its program. Orders: see benchmarks/word_orders.py.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import own_battery
from benchmarks.word_orders import BAD, ORDERS

HERE = Path(__file__).parent
OUT = HERE / "results" / "randomness.md"
CRUSHES = ("smallcrush", "crush", "bigcrush")
SUSPICIOUS, FAILED = 1e-3, 1e-10  # two-sided distance from 0 or 1: to be run again; to be believed
COLUMNS = ("battery", "order", "seed", "results", "failed", "suspicious", "words", "minutes", "date", "program")


class Outcome(NamedTuple):
    """What a battery said."""

    results: int
    failed: list[str]
    suspicious: list[str]
    words: int  #: how many were looked at
    program: str  #: name and version


def judged(p_values: list[tuple[str, float]], words: int, program: str) -> Outcome:
    """The outcome of named p-values that are uniform on [0, 1] if the words are random. Names may come more than once."""
    said = [(min(p, 1 - p), f"{name} {p:.2g}" if p < 0.5 else f"{name} 1 - {1 - p:.2g}") for name, p in p_values]
    failed = [text for near, text in said if near < FAILED]
    suspicious = [text for near, text in said if FAILED <= near < SUSPICIOUS]
    return Outcome(len(p_values), failed, suspicious, words, program)


class Missing(SystemExit):
    """A battery's program is not on this machine."""


def feed(command: list[str], order: str, seed: int) -> tuple[str, int, int]:
    """Run a program with the words of an order on its standard input: its output, exit status and how many words were written."""
    _, source = (ORDERS | BAD)[order]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        assert process.stdin is not None
        written = 0
        with contextlib.suppress(BrokenPipeError):  # the program has had enough
            for words in source(seed):
                process.stdin.write(memoryview(words).cast("B"))
                written += words.size
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        status = process.wait()
        output.seek(0)
        return output.read(), status, written


# --- the batteries ---


def compiled(folder: str) -> str:
    """The program that runs TestU01, compiled into ``folder``."""
    prefix, program = os.environ.get("TESTU01"), str(Path(folder) / "testu01")
    places = [f"-I{prefix}/include", f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib"] if prefix else ["-I/usr/include/testu01"]
    command = [
        os.environ.get("CC", "cc"),
        "-O2",
        "-o",
        program,
        str(HERE / "testu01.c"),
        *places,
        "-ltestu01",
        "-lprobdist",
        "-lmylib",
        "-lm",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"testu01.c does not compile: {done.stderr.strip().splitlines()[0]} (install TestU01, or give its place in TESTU01)")
    return program


def crush(battery: str, order: str, seed: int) -> Outcome:
    """A battery of TestU01."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        output, status, _ = feed([compiled(folder), battery, str(results)], order, seed)
        if status:
            raise SystemExit(f"{battery} on {order} ended with status {status}: {output[-500:]}")
        lines = [line.split("\t") for line in results.read_text().splitlines()]
    return judged([(name, float(p)) for p, name in lines[:-1]], int(lines[-1][0]), _version(r"(TestU01 [\w.-]+)", output))


def dieharder(order: str, seed: int) -> Outcome:
    """All tests of dieharder but those it marks "Do Not Use", on raw words."""
    if not shutil.which("dieharder"):
        raise Missing("dieharder is not on this machine: install it")
    flags = ["-D", "test_name", "-D", "ntuple", "-D", "pvalues"]
    output, _, written = feed(["dieharder", "-a", "-g", "200", "-k", "2", "-c", ",", *flags], order, seed)
    rows = re.findall(r"^\s*([a-z]\w+),\s*(\d+),\s*([0-9.e+-]+)\s*$", output, re.MULTILINE)
    if not rows:
        raise SystemExit(f"dieharder gave no p-value: {output[-500:]}")
    banner = subprocess.run(["dieharder", "-l"], capture_output=True, text=True, check=False).stdout
    p_values = [(f"{name} {size}", float(p)) for name, size, p in rows if name != "diehard_sums"]
    return judged(p_values, written, _version(r"(dieharder version [\w.-]+)", banner))


def practrand(order: str, seed: int, gigabytes: int) -> Outcome:
    """PractRand, whose results at the last length count; what it does not call normal is quoted."""
    program = os.environ.get("PRACTRAND") or shutil.which("RNG_test")
    if not program:
        raise Missing("PractRand's RNG_test is not on this machine: install PractRand, or give the program's path in PRACTRAND")
    output, _, _ = feed([program, "stdin32", "-tlmin", "1GB", "-tlmax", f"{gigabytes}GB"], order, seed)
    last = output.split("length= ")[-1]
    size = re.match(r"\d+ \w+ \(2\^([0-9.]+) bytes\)", last)
    if size is None:
        raise SystemExit(f"PractRand gave no result: {output[-500:]}")
    odd = [" ".join(line.split()) for line in last.splitlines() if re.search(r" R= *[+-]?[0-9.]", line)]
    normal = re.search(r"(?:no anomalies in|and) (\d+) test", last)
    failed, suspicious = [line for line in odd if "FAIL" in line], [line for line in odd if "FAIL" not in line]
    count = len(odd) + (int(normal[1]) if normal else 0)
    return Outcome(count, failed, suspicious, round(2 ** (float(size[1]) - 2)), _version(r"(PractRand version [\w.-]+)", output))


def own(order: str, seed: int, share: float) -> Outcome:
    """The tests of benchmarks/own_battery.py."""
    found, words = own_battery.run(order, seed, share)
    return judged(found, words, f"scipy {version('scipy')}")


def _version(pattern: str, output: str) -> str:
    found = re.search(pattern, output)
    return found[1].replace(" version", "") if found else "unknown version"


# --- what is written ---


def row(battery: str, order: str, seed: int, gigabytes: int, share: float) -> tuple[str, ...]:
    """One battery on one order, as a row of the table."""
    started = time.perf_counter()
    if battery in CRUSHES:
        found = crush(battery, order, seed)
    elif battery == "practrand":
        found = practrand(order, seed, gigabytes)
    else:
        found = dieharder(order, seed) if battery == "dieharder" else own(order, seed, share)
    minutes = (time.perf_counter() - started) / 60
    counts = [found.results, _listed(found.failed), _listed(found.suspicious), f"2^{np.log2(found.words):.1f}"]
    return tuple(map(str, [battery, order, seed, *counts, f"{minutes:.1f}", date.today(), found.program]))


def _listed(names: list[str], most: int = 4) -> str:
    """How many there are, and the first ones by name."""
    shown = [name.replace("|", "/") for name in names[:most]]
    return f"{len(names)}" + (f": {'; '.join(shown)}" if names else "") + ("; ..." if len(names) > most else "")


def rows_of(text: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The rows of a written table by battery, order and seed."""
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line.startswith("| ")]
    return {line[:3]: line for line in cells if len(line) == len(COLUMNS) and line != COLUMNS}


def write(new: tuple[str, ...], out: Path) -> None:
    """Put a row in its place of the table in ``out``."""
    rows = rows_of(out.read_text()) if out.exists() else {}
    rows[new[:3]] = new
    batteries, orders = [*CRUSHES, "practrand", "dieharder", "own"], [*ORDERS, *BAD]
    ranked = sorted(rows.values(), key=lambda r: (batteries.index(r[0]), orders.index(r[1]), int(r[2])))
    good = [r for r in ranked if r[1] in ORDERS]
    bad = [r for r in ranked if r[1] in BAD]
    head = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    versions = f"Python {platform.python_version()}, numpy {version('numpy')}, numba {version('numba')}, scipy {version('scipy')}"
    listed = "\n".join(f"- {name}: {says}" for name, (says, _) in (ORDERS | BAD).items())
    out.write_text(f"""# Randomness of the words and normals

{date.today()}, {versions}; {platform.machine()}, {os.cpu_count()} cores.
Command: `python -m benchmarks.randomness --battery NAME [--order ORDER] [--seed SEED]`, own also with `--share 0.25`, practrand with
`--gigabytes`: the column of words says how many were looked at. Minutes are of a niced process beside other work.
Philox4x32-10 under the key of `stream_key(seed, None)`. A p-value within {FAILED:.0e} of 0 or 1 is a failure, one within
{SUSPICIOUS:.0e} is suspicious: about {2 * SUSPICIOUS:.1%} of the p-values of perfect words are, so the battery is run again under another
seed. PractRand judges its results itself: "FAIL", and all that it finds unusual or worse.

{head}{"".join(f"| {' | '.join(r)} |{chr(10)}" for r in good)}
## Generators that must fail

{head}{"".join(f"| {' | '.join(r)} |{chr(10)}" for r in bad)}
## Orders

{listed}
""")


def main(arguments: list[str] | None = None) -> None:
    """Run one battery on the given orders, or on all, and write the table after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.randomness", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--battery", choices=[*CRUSHES, "practrand", "dieharder", "own"], default="own")
    parser.add_argument("--order", choices=[*ORDERS, *BAD], action="append", help="may be given more than once; default: all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gigabytes", type=int, default=16, help="of PractRand: length of the longest test, a power of two")
    parser.add_argument("--share", type=float, default=1.0, help="of own: share of its full size")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args(arguments)
    for order in chosen.order or ORDERS:
        line = row(chosen.battery, order, chosen.seed, chosen.gigabytes, chosen.share)
        print(" | ".join(line), flush=True)
        write(line, chosen.out)


if __name__ == "__main__":
    main(sys.argv[1:])
