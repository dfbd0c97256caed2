"""A kernel's real source, run by the Python interpreter: any number type, any stream of random words, every call seen."""

import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import numpy as np

import optlab.ensemble.kernel as kernels
from optlab.ensemble.cell import Cell
from optlab.ensemble.specs import Request


def plain(function=None, **options):
    """Stands for ``njit`` and ``traced``: leaves the function as it is."""
    return function if function is not None else plain


@contextmanager
def one_lane():
    """Vectors of one lane: what the functions over lanes take when Python runs them."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(kernels, "width_of", return_value=1))
        stack.enter_context(mock.patch.object(kernels, "wide_of", return_value=1))
        for module in ("kernel", "cell", "bind"):
            stack.enter_context(mock.patch(f"optlab.ensemble.{module}.padded", lambda problem, dtype: problem.dim))
        yield


def interpret(rule, problem, rounds, *, real=np.float64, dtype="float64"):
    """The kernel module's namespace, with ``real`` for its float type and ``rounds`` for its generator (None: the real one)."""
    with one_lane():
        source = kernels.kernel_source(rule.unbound(), problem, dtype)
    changes = [(f"F = np.{dtype}\n", "F = working\n"), ('njit = partial(numba.njit, error_model="numpy")', "njit = plain\ntraced = plain")]
    changes += [("AHEAD = 8 ", "AHEAD = 1 ")] if "AHEAD = 8 " in source else []
    if rounds is not None:
        changes.append(
            ("from optlab.ensemble.philox import bounded, finished, prepared, rounds\n", "from optlab.ensemble.philox import bounded\n")
        )
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"the kernel's source has changed: {old!r} occurs {source.count(old)} times")
        source = source.replace(old, new)
    source = re.sub(r"bounded\(", "bounded.py_func(", source).replace("bounded.py_func, finished", "bounded, finished")
    kept = {
        "prepared": lambda trajectory, purpose, k0, k1: (trajectory, purpose),
        "finished": lambda trajectory, purpose, low, high, k0, k1: rounds(trajectory, low, high, purpose, k0, k1),
    }
    space = (kept if rounds is not None else {}) | {"plain": plain, "working": real, "rounds": rounds}
    exec(compile(source, str(Path(__file__).with_suffix(".generated")), "exec"), space)
    return space


def interpreted_cell(rounds, rule, problem, **options):
    """A cell whose kernel is run by the interpreter."""
    given = {
        "schedule": 0.1, "steps": 5, "batch": 1, "seed": 0, "backend": "cpu", "trajectories": 4, "dtype": "float64", "record": "linear",
        "quantiles": (), "reach": (), "keep": 0, "outcomes": False, "coordinates": False, "common": True, "limit": 1e15, "uniform_bits": 32,
    }  # fmt: skip
    request = Request.read(rule, problem, **(given | options))
    with one_lane():
        cell = Cell(request)
        cell.lanes = 2
        cell.head = (2, *cell.head[1:])
        cell.spare.put(cell.new_tally())
    space = interpret(rule, request.problem, rounds, dtype=request.dtype)
    cell.kernel = space["run"]
    return cell
