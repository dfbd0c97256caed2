"""Compiling kernels side by side in processes of their own, since Numba compiles one function at a time in each.

``python -m optlab.nn.compiling`` reads jobs as JSON from its standard input and leaves the machine code in the cache, where the process
that asked finds it. The logger ``optlab.nn`` says when there is something to compile.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from optlab.codegen.module import import_file

#: What one letter of a signature stands for: numbers, and flat arrays of the model's type (r), float64 and int64.
_KINDS = {"i": "int64", "d": "float64", "r": "{dtype}[::1]", "D": "float64[::1]", "I": "int64[::1]"}

Job = tuple[ModuleType, str, str]  #: a module, the name of a function in it, the letters of its arguments


def signature(letters: str, dtype: str) -> tuple[Any, ...]:
    """Numba's types of the arguments."""
    import numba

    kinds = {letter: getattr(numba.types, name.split("[")[0].format(dtype=dtype)) for letter, name in _KINDS.items()}
    return tuple(kinds[c][::1] if "[" in _KINDS[c] else kinds[c] for c in letters.replace(" ", ""))


def is_compiled(module: ModuleType, name: str) -> bool:
    """Whether the cache holds machine code of the function."""
    place = getattr(getattr(getattr(module, name), "_cache", None), "cache_path", None)
    return place is not None and any(Path(place).glob(f"{module.__name__}.{name}-*.nbi"))


def prepare(jobs: Sequence[Job], dtype: str) -> None:
    """Load or compile every function, what is not in the cache in as many processes as there are cores; the slowest (first) ones first."""
    missing = [(str(module.__file__), name, letters) for module, name, letters in jobs if not is_compiled(module, name)]
    workers = min(os.cpu_count() or 1, len(missing), 8)
    if missing:
        logging.getLogger("optlab.nn").info("compiling %d kernels in %d processes; the next start finds them", len(missing), workers)
    if workers > 1:
        own = str(Path(__file__).parents[2])  # the same optlab, wherever this process has it from
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH")]))}
        started = []
        try:
            for number in range(workers):
                text = json.dumps({"dtype": dtype, "jobs": missing[number::workers]})
                child = subprocess.Popen(
                    [sys.executable, "-m", "optlab.nn.compiling"], stdin=subprocess.PIPE, text=True, env=environment, start_new_session=True
                )  # an interrupt reaches this process only, which ends the others
                started.append(child)
                assert child.stdin is not None
                child.stdin.write(text)
                child.stdin.close()
            for child in started:
                child.wait()  # what it could not compile is compiled below, where its error can be seen
        finally:
            for child in started:
                if child.poll() is None:
                    child.terminate()
    for module, name, letters in jobs:
        getattr(module, name).compile(signature(letters, dtype))


def main() -> None:
    """Compile the jobs on standard input."""
    asked = json.load(sys.stdin)
    for path, name, letters in asked["jobs"]:
        getattr(import_file(Path(path)), name).compile(signature(letters, asked["dtype"]))


if __name__ == "__main__":
    main()
