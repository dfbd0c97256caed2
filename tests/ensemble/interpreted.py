"""A kernel's real source, run by the Python interpreter: any number type, any stream of random words, every call seen."""

import math
from pathlib import Path

import numpy as np

import optlab.ensemble.kernel as kernels
from optlab.ensemble.philox import bounded


def plain(function=None, **options):
    """Stands for ``njit``: leaves the function as it is."""
    return function if function is not None else plain


def interpret(rule, problem, philox, *, lanes, real=np.float64):
    """The kernel module's namespace, with ``lanes`` lanes, ``real`` for its float type and ``philox`` for its generator."""
    source = kernels.kernel_source(rule.unbound(), problem, "float64")
    for old, new in (
        (f"LANES = {kernels.LANES}\n", f"LANES = {lanes}\n"),
        ("F = np.float64\n", "F = real\n"),
        ('njit = partial(numba.njit, error_model="numpy")', "njit = plain"),
        ("from optlab.ensemble.philox import bounded, philox\n", ""),
    ):
        if source.count(old) != 1:
            raise ValueError(f"the kernel's source has changed: {old!r} occurs {source.count(old)} times")
        source = source.replace(old, new)
    space = {"plain": plain, "real": real, "philox": philox, "bounded": bounded, "math": math}
    exec(compile(source, str(Path(__file__).with_suffix(".generated")), "exec"), space)
    return space
