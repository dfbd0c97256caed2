"""``python -m tests.installed``: build the sdist and, from it, the wheel; install that into a clean environment; use it there.

``make package`` runs it. It stops at the first thing that is not as it should be.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Folders in which tools leave what is no part of the package.
IGNORED = {"__pycache__"}
USE = """
import sys
from pathlib import Path
import optlab as ol
assert Path(ol.__file__).is_relative_to(sys.prefix), ol.__file__
rule = ol.rules.get("momentum")
problem = ol.problems.quadratic(condition_number=10, dim=3, noise=0.1)
setting = dict(schedule=0.05, steps=50, batch=4)
run = ol.simulate(rule, problem, trajectories=2_000, rng=0, **setting)
exact = ol.predict(rule, problem, **setting)
apart = abs(float(run.loss_mean[-1] - exact.loss_mean[-1])) / float(run.loss_standard_error[-1])
print(f"simulated against exact: {apart:.2f} standard errors apart")
assert apart < 7  # a false alarm in 1e-11 of seeds; this one is fixed
"""


def said(*command: str | Path, **options: object) -> str:
    """What a command prints; where it fails, that and its errors are shown and everything stops."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def packaged() -> set[str]:
    """The files that an installed optlab has to hold: all of the source's."""
    files = (path for path in (ROOT / "optlab").rglob("*") if path.is_file() and not IGNORED & set(path.parts))
    return {path.relative_to(ROOT).as_posix() for path in files}


def main() -> None:
    """Build, compare, install, use."""
    with tempfile.TemporaryDirectory(prefix="package-") as place:
        folder = Path(place)
        said(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        (sdist,) = (folder / "dist").glob("*.tar.gz")
        held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("optlab/")}
        if held != packaged():
            sys.exit(f"the wheel lacks {sorted(packaged() - held)} and has {sorted(held - packaged())} that the source does not")
        print(f"{sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB; {wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {len(held)} files")
        said(sys.executable, "-m", "venv", folder / "clean")
        bin = folder / "clean" / ("Scripts" if os.name == "nt" else "bin")
        said(bin / "python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
        empty = folder / "empty"
        empty.mkdir()
        keep = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "OPTLAB_CACHE")}
        away = {"cwd": empty, "env": keep | {"OPTLAB_CACHE": str(folder / "cache")}}
        print(said(bin / "python", "-m", "pip", "check", **away).strip())
        print(said(bin / "optlab", "--version", **away).strip())
        said(bin / "python", "-m", "optlab", "doctor", **away)
        print(said(bin / "python", "-c", USE, **away).strip())
        line = ("simulate", "--rule", "sgd", "--problem", "quadratic(dim=2)", "--alpha", "0.1", "--steps", "20", "--trajectories", "100")
        said(bin / "optlab", *line, "--out", "run.nc", **away)
        figures = sorted(path.name for path in empty.iterdir())
        said(bin / "python", "-c", "from optlab.reporting.html import *; from optlab.reporting.style import *", **away)
        print(f"optlab simulate wrote {', '.join(figures)}")
        said(bin / "optlab", "derive", "lion", "--torch", **away)
    print("the installed package works away from its source")


if __name__ == "__main__":
    main()
