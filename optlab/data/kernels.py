"""The compiled loops of :mod:`optlab.data.image_kernels`, from a cache that notices when anything inlined into them changes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType

from optlab.codegen import lanes, tracing
from optlab.codegen.module import load
from optlab.ensemble import draws, philox


@cache
def kernels() -> ModuleType:
    """The module with ``permutation``, ``moves`` and ``write_batch``."""
    source = Path(__file__).with_name("image_kernels.py").read_text(encoding="utf-8")
    return load(source, _files(philox, draws, lanes, tracing), "images")


@cache
def cuda_kernels() -> ModuleType:
    """The module with ``write_images`` and ``write_rows``."""
    from optlab.codegen import cuda

    source = Path(__file__).with_name("cuda_kernels.py").read_text(encoding="utf-8")
    return load(source, _files(philox, lanes, tracing, cuda), "cuda_images")


def _files(*modules: ModuleType) -> tuple[Path, ...]:
    return tuple(Path(str(module.__file__)) for module in modules)
