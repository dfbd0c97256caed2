"""``python -m tests.installed``: build the sdist and, from it, the wheel; install that into a clean environment; use it there.

``make package`` runs it. It stops at the first thing that is not as it should be: a file too many or too few, the licence, metadata,
dependencies in conflict, a command that fails, types that are not seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

from optlab._version import __version__

ROOT = Path(__file__).parents[1]
#: What the source distribution holds besides the package, its own metadata apart.
BESIDE = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
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
PAGES = """
from pathlib import Path
from optlab.reporting.explorer import panel
from optlab.reporting.rosetta import rosetta_report
assert "</script>" in panel(["momentum"])
print(f"wrote {rosetta_report(out=Path('page'), names=['momentum']).path}")
"""
TYPED = """
import optlab as ol
reveal_type(ol.rules.get("momentum"))
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


def compare(what: str, held: set[str], due: set[str]) -> None:
    """Stop where a distribution does not hold what it should."""
    if held != due:
        sys.exit(f"the {what} lacks {sorted(due - held)} and has {sorted(held - due)} that it should not have")


def look_into(sdist: Path, wheel: Path) -> None:
    """Compare what both hold with the source, and what the wheel says of itself with what it has to say."""
    with tarfile.open(sdist) as opened:
        files = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    metadata = {name for name in files if name in ("PKG-INFO", "setup.cfg") or name.startswith("optlab.egg-info/")}
    compare("source distribution", files - metadata, packaged() | BESIDE)
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (about,) = (name.removesuffix("METADATA") for name in names if name.endswith(".dist-info/METADATA"))
        compare("wheel", {name for name in names if not name.startswith(about)}, packaged())
        told = message_from_bytes(opened.read(f"{about}METADATA"))
        licence = opened.read(f"{about}licenses/LICENSE")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said_of_itself = {
        "name": told["Name"],
        "description": told["Summary"],
        "license": told["License-Expression"],
        "license-files": told.get_all("License-File"),
        "keywords": (told["Keywords"] or "").split(","),
        "classifiers": told.get_all("Classifier"),
    }
    compare(
        "wheel's metadata",
        {f"{key}: {value}" for key, value in said_of_itself.items()},
        {f"{key}: {project[key]}" for key in said_of_itself},
    )
    if told["Version"] != __version__ or licence != (ROOT / "LICENSE").read_bytes():
        sys.exit(f"the wheel is of version {told['Version']} rather than {__version__}, or holds another licence than the source")
    print(f"{sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB; {wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {len(packaged())} files")


def main() -> None:
    """Build, compare, install, use."""
    with tempfile.TemporaryDirectory(prefix="package-") as place:
        folder = Path(place)
        said(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        (wheel,) = (folder / "dist").glob("*.whl")
        (sdist,) = (folder / "dist").glob("*.tar.gz")
        look_into(sdist, wheel)
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
        print(f"optlab simulate wrote {', '.join(figures)}")
        print(said(bin / "python", "-c", PAGES, **away).strip())
        said(bin / "optlab", "derive", "lion", "--torch", **away)
        (empty / "typed.py").write_text(TYPED, encoding="utf-8")
        revealed = said(sys.executable, "-m", "mypy", "--no-incremental", "--python-executable", bin / "python", "typed.py", **away)
        if "optlab.expressions.Rule" not in revealed:
            sys.exit(f"the types of the installed package are not seen:\n{revealed}")
        print(revealed.splitlines()[0])
    print("the installed package works away from its source")


if __name__ == "__main__":
    main()
