"""Machines with other registers: a processor without AVX and FMA, and vectors of 512 bits, give the same bits as this machine."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nn.one_step import two_steps

PLAIN = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "processor"), [(128, PLAIN), (512, {})], ids=["plain", "avx512"])
def test_every_width_and_processor_gives_the_same_bits(bits, processor, tmp_path):
    """LLVM splits wide vectors where registers are narrow, and calls a function where there is no fused multiply-add."""
    if platform.machine() not in ("x86_64", "AMD64"):
        processor = {}
    environment = os.environ | processor | {"OPTLAB_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "tests.nn.one_step", str(bits)]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2], check=True)
    assert found.stdout.strip() == two_steps()
