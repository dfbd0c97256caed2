"""``python -m tests.fuzz --minutes 10``: every reader in turn until the time is over; faults are printed with the input that shows them."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings

from optlab.errors import OptlabError
from tests.fuzz.targets import TARGETS, one_line

SETTINGS = settings(
    max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=True,
)  # fmt: skip


def reader(name: str, end: float, counts: dict[str, int], refused: dict[str, int]) -> Callable[[], None]:
    strategy, read = TARGETS[name]

    @SETTINGS
    @given(case=strategy)
    def reads(case):
        if time.monotonic() > end:  # the rest of these examples is drawn, and not read
            return
        counts[name] += 1
        try:
            read(case)
        except OptlabError as error:
            refused[name] += 1
            one_line(error)

    return reads


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], default=[])
    asked = parser.parse_args()
    warnings.simplefilter("error")
    counts, refused, faults = dict.fromkeys(TARGETS, 0), dict.fromkeys(TARGETS, 0), set()
    end = time.monotonic() + 60 * asked.minutes
    while time.monotonic() < end:
        for name in asked.targets or TARGETS:
            try:
                reader(name, end, counts, refused)()
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                key = f"{name}: {type(error).__name__} at {where.filename}:{where.lineno}"
                if key not in faults:
                    faults.add(key)
                    print(f"FAULT {key}: {error}", *getattr(error, "__notes__", ()), sep="\n  ", flush=True)
            if time.monotonic() > end:
                break
    for name, count in counts.items():
        print(f"{name:16} {count:8,} cases, {refused[name]:8,} refused in one line")
    print(f"{sum(counts.values()):,} cases, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
