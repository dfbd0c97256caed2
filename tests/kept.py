"""New interpreters with a cache folder and a copy of the package of their own: what is kept between processes, and what changes it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import optlab

PACKAGE = Path(optlab.__file__).parent


def copied(folder):
    """A copy of the package to change, in this folder."""
    return Path(shutil.copytree(PACKAGE, folder / "optlab", ignore=shutil.ignore_patterns("__pycache__")))


def process(code, cache, package=PACKAGE, **environment):
    """What the code prints, as JSON, in a new interpreter with this cache folder and this copy of the package."""
    variables = {key: value for key, value in os.environ.items() if key != "OPTLAB_DERIVE"}
    variables |= {"PYTHONPATH": str(package.parent), "OPTLAB_CACHE": str(cache)} | environment
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, cwd=package.parent, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def replace(path, old, new):
    """Change the one place where the file says this."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")
