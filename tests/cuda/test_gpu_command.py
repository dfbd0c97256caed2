"""`make gpu` where no device answers: a line from each part, exit code 2, no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.cuda


def test_each_part_says_in_one_line_that_there_is_no_device():
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")} | {"CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], capture_output=True, text=True, env=env, cwd=Path(__file__).parents[2], check=False
    )
    said = ran.stderr.splitlines()
    assert ran.returncode == 2, ran.stderr
    assert [line.split(": nothing")[0] for line in said] == ["Exit: tests marked gpu", "benchmarks.cuda", "benchmarks.cuda_training"]
    assert ran.stdout.strip() == ""
