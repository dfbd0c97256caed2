"""Hypothesis profiles: ``dev`` is quick, ``ci`` looks longer and draws the same examples every time."""

import os
import signal
from importlib.util import find_spec

from hypothesis import settings

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a background job: the tests of Ctrl-C need what a terminal gives
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dev", max_examples=25, deadline=None)  # no deadline: the first call of a kernel compiles it
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

os.environ.setdefault("OPTLAB_PROCESSES", "1")  # cells are computed where tests can look in: test_processes.py asks for more

# Helpers of the tests marked ``peers`` and ``cuda`` that are written in another library: without it there is nothing in them to read.
WRITTEN_IN = {
    "peers/torch_models.py": ("torch",), "verify/mutations/frameworks.py": ("torch", "optax"),
    "cuda/on_simulator.py": ("numba_cuda",), "cuda/nn_on_simulator.py": ("numba_cuda",), "cuda/bf16_on_simulator.py": ("numba_cuda",),
    "cuda/quick_blocks.py": ("numba_cuda",),
}  # fmt: skip
collect_ignore = [path for path, needed in WRITTEN_IN.items() if not all(map(find_spec, needed))]
