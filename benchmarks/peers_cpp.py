"""The hand-written C++ of ``ensemble_reference.cpp`` and ``ensemble_rows.cpp``, built with g++ and called through ctypes."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.workload import BATCH, BETA, BETA1, BETA2, DECAY, EPS, RATE, RULES, table, trajectories

HERE = Path(__file__).parent
SOURCES = ("ensemble_reference.cpp", "ensemble_rows.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++20", "-fPIC")
ELEMENTS, ROW_ELEMENTS = 65536, 16384
VECTOR = 64  #: bytes to which rows are aligned
GROUP = 4  #: vectors of trajectories that advance together
real, whole, pointer = ctypes.c_double, ctypes.c_int64, ctypes.c_void_p


class Job(ctypes.Structure):
    """``struct Job`` of ensemble_reference.cpp."""

    _fields_ = (
        *((name, whole) for name in ("dim", "trajectories", "steps", "every")),
        *((name, pointer) for name in ("curvature", "rates", "parameters")),
        *((name, real) for name in ("start", "noise", "limit")),
        *((name, ctypes.c_uint32) for name in ("key0", "key1")),
        *((name, pointer) for name in ("mean", "m2", "diverged")),
    )


class RowsJob(ctypes.Structure):
    """``struct RowsJob`` of ensemble_rows.cpp."""

    _fields_ = (
        *((name, whole) for name in ("rows", "dim", "trajectories", "steps", "every", "batch")),
        *((name, pointer) for name in ("table", "targets", "rates", "parameters")),
        *((name, real) for name in ("start", "limit")),
        *((name, ctypes.c_uint32) for name in ("key0", "key1")),
        *((name, pointer) for name in ("mean", "m2", "diverged")),
    )


def build(*flags):
    """The loaded library; RuntimeError where there is no compiler or the processor lacks AVX2."""
    if shutil.which("g++") is None:
        raise RuntimeError("there is no g++ on this machine")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "reference.so")
        command = ["g++", *FLAGS, *flags, "-shared", *(str(HERE / source) for source in SOURCES), "-o", target]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"g++ failed: {next((line for line in done.stderr.splitlines() if 'error' in line), done.stderr)}")
        return ctypes.CDLL(target)


def compiler():
    """The compiler and its version, in words."""
    return subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def _address(array):
    return array.ctypes.data


def _constants(rule):
    return np.array([BETA1 if rule.startswith("adam") else BETA, BETA2, EPS, DECAY])


def ensemble(library, case, many, steps, *, rate=RATE, noise=1.0, seed=1, limit=1e15):
    """Mean and variance of the loss at every recorded step, and the step at which each trajectory diverged (-1: it did not)."""
    curvature, rates, constants = np.ascontiguousarray(case.curvature), np.full(steps, rate), _constants(case.rule)
    records = steps // case.every + 1
    mean, m2, diverged = np.empty(records), np.empty(records), np.empty(many, np.int64)
    job = Job(
        case.dim, many, steps, case.every, _address(curvature), _address(rates), _address(constants),
        1.0, noise, limit, seed, 12345, _address(mean), _address(m2), _address(diverged),
    )  # fmt: skip
    wrong = library.run_ensemble(8 * np.dtype(case.dtype).itemsize, RULES.index(case.rule), ctypes.byref(job))
    if wrong:
        raise ValueError(f"{many} trajectories are no multiple of {wrong}")
    return mean, m2 / (many - 1), diverged


def padded(data, dtype, lanes):
    """The rows in whole vectors of ``lanes`` numbers, the first of them aligned."""
    width = -(-data.shape[1] // lanes) * lanes
    memory = np.zeros(data.shape[0] * width + VECTOR // np.dtype(dtype).itemsize, dtype)
    skip = -memory.ctypes.data % VECTOR // memory.itemsize
    out = memory[skip : skip + data.shape[0] * width].reshape(data.shape[0], width)
    out[:, : data.shape[1]] = data
    return out


def least_squares(library, case, rows, targets, many, steps, *, seed=1, limit=1e15):
    """Mean and variance of the loss at the start and at the end; ``rows`` come from ``padded``."""
    rates, constants = np.full(steps, RATE), _constants(case.rule)
    mean, m2, diverged = np.empty(2), np.empty(2), np.empty(many, np.int64)
    job = RowsJob(
        len(rows), case.dim, many, steps, steps, BATCH, _address(rows), _address(targets), _address(rates), _address(constants),
        0.0, limit, seed, 12345, _address(mean), _address(m2), _address(diverged),
    )  # fmt: skip
    wrong = library.run_rows(8 * np.dtype(case.dtype).itemsize, RULES.index(case.rule), ctypes.byref(job))
    if wrong:
        raise ValueError(f"{many} trajectories of a batch of {BATCH}: need a multiple of {wrong} (negative: a batch of that size)")
    return mean, m2 / (many - 1)


def prepare(library):
    """The contestant's ``prepare(case)``."""

    def prepared(case):
        lanes = library.lanes(8 * np.dtype(case.dtype).itemsize)
        many = trajectories(case, ROW_ELEMENTS if case.table else ELEMENTS, GROUP * lanes)
        if case.table:
            data, targets = table(case.dim)
            rows = padded(data, case.dtype, lanes)
            return many, lambda steps: least_squares(library, case, rows, targets, many, steps)
        return many, lambda steps: ensemble(library, case, many, steps)[:2]

    return prepared


def words(library, first, block, key):
    """Philox's words (4, lanes) of one vector of trajectories."""
    lanes = library.lanes(64)
    out = np.empty((4, lanes), np.uint32)
    unsigned = ctypes.c_uint32
    library.words(whole(first), unsigned(block), unsigned(key[0]), unsigned(key[1]), pointer(_address(out)))
    return out


def normals(library, bits, vectors, blocks, seed=7):
    """Normals (vectors, blocks, 4, lanes)."""
    out = np.empty((vectors, blocks, 4, library.lanes(bits)), f"float{bits}")
    unsigned = ctypes.c_uint32
    library.normals(bits, whole(vectors), whole(blocks), unsigned(seed), unsigned(1), pointer(_address(out)))
    return out
