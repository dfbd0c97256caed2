"""The hand-written C++ of ``ensemble_reference.cpp``, built with g++ into a temporary folder and called through ctypes."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FLAGS = ("-O3", "-march=native", "-std=c++20", "-shared", "-fPIC")
RULES = ("sgd", "momentum", "rmsprop", "adam", "adamw")
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


def build(*extra):
    """The loaded library; RuntimeError where there is no compiler or the processor lacks AVX2."""
    if shutil.which("g++") is None:
        raise RuntimeError("no g++ on this machine: the C++ reference is skipped")
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "reference.so")
        done = subprocess.run(["g++", *FLAGS, *extra, str(HERE / "ensemble_reference.cpp"), "-o", target], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"g++ failed, the C++ reference is skipped: {done.stderr.strip().splitlines()[-1]}")
        return ctypes.CDLL(target)


def address(array):
    return array.ctypes.data


def ensemble(library, rule, curvature, *, trajectories, steps, every, dtype, rate=0.01, seed=1, limit=1e15, parameters):
    """Mean and variance of the loss at every ``every``-th step, and the step at which each trajectory diverged (-1: none)."""
    curvature, rates = np.ascontiguousarray(curvature, np.float64), np.full(steps, rate)
    parameters = np.array(parameters, np.float64)
    records = steps // every + 1
    mean, m2, diverged = np.empty(records), np.empty(records), np.empty(trajectories, np.int64)
    job = Job(
        len(curvature), trajectories, steps, every, address(curvature), address(rates), address(parameters),
        1.0, 1.0, limit, seed, 12345, address(mean), address(m2), address(diverged),
    )  # fmt: skip
    multiple = library.run_ensemble(8 * np.dtype(dtype).itemsize, RULES.index(rule), ctypes.byref(job))
    if multiple:
        raise ValueError(f"{trajectories} trajectories are no multiple of {multiple}")
    return mean, m2 / (trajectories - 1), diverged
