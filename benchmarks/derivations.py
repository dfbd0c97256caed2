"""How long each derivation takes, cold (nothing kept on disk) and read back, each in a process of its own.

``python -m benchmarks.derivations`` writes ``benchmarks/results/derivations.md``. Imports are not counted; the time of a first
use of SymPy is (its own caches are empty in a new process).
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

from optlab import norms, rules

ROUNDS = 3
OUT = Path(__file__).parent / "results" / "derivations.md"
SCRIPT = """
import json, sys, time
import optlab as ol
from optlab.analysis import invariance, minimax  # noqa: imports are not what is timed
from optlab.analysis.adaptive import analyze_adaptive
from optlab.errors import NotLinearError
started = time.perf_counter()
for name in sys.argv[1:]:
    if name in ol.norms.names():
        invariance.statements(ol.norms.get(name))
        continue
    rule = ol.rules.get(name)
    try:
        mode = ol.analyze(rule)
        mode.items(), mode.optimal()
    except NotLinearError:
        found = analyze_adaptive(rule)
        found.statements, found.reasons
print(json.dumps(time.perf_counter() - started))
"""


ALL = "all rules, one process"


def seconds(name: str, cache: str) -> float:
    """One derivation, or that of all rules, in a new process."""
    environment = os.environ | {"OPTLAB_CACHE": cache}
    command = [sys.executable, "-c", SCRIPT, *(rules.names() if name == ALL else [name])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def main() -> None:
    """Time every built-in rule and normalization, cold and kept, in turn."""
    names = [*rules.names(), *norms.names(), ALL]
    cold: dict[str, list[float]] = {name: [] for name in names}
    kept: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            with tempfile.TemporaryDirectory() as cache:
                cold[name].append(seconds(name, cache))
                kept[name].append(seconds(name, cache))
    rows = [
        f"| {name} | {1e3 * median(cold[name]):.0f} | {1e3 * min(cold[name]):.0f}-{1e3 * max(cold[name]):.0f} "
        f"| {1e3 * median(kept[name]):.0f} | {1e3 * min(kept[name]):.0f}-{1e3 * max(kept[name]):.0f} |"
        for name in names
    ]
    text = f"""# Time of each derivation

{datetime.date.today()}, Python {platform.python_version()}, sympy {version("sympy")}; {platform.machine()}, {os.cpu_count()} cores.
Command: `python -m benchmarks.derivations`.
Milliseconds, median and range of {ROUNDS} new processes, imports not counted: everything that `optlab derive` shows of a rule
(the certificate of the minimax tuning included), first derived, then read from disk.

| | cold | range | kept | range |
|---|---|---|---|---|
{chr(10).join(rows)}
"""
    OUT.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
