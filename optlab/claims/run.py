"""Testing claims: each one's cells are run or read from the store, and its verdict follows.

Claims on small networks leave their work to processes of one core each. So they are tested beside the others, which keep this process busy
compiling and simulating: otherwise a core would wait for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from optlab.claims.catalog import CLAIMS
from optlab.claims.record import Claim, Findings, Outcome, Setting, Verdict
from optlab.ensemble.philox import read_seed
from optlab.errors import InputError, UnknownNameError
from optlab.experiments import processes
from optlab.experiments.cluster import connected
from optlab.experiments.store import Store, Took, default_store
from optlab.experiments.sweep import Progress, Runner

PRESETS = ("quick", "full")
STOP_SECONDS = 5.0  #: at most, until what runs beside has seen that it is stopped


@dataclass(frozen=True)
class Answer:
    """A claim with what was found."""

    claim: Claim
    findings: Findings
    seconds: float  #: it took, this time
    computed: int  #: cells that were run
    read: int  #: cells from the store
    took: Took  #: by its cells, added up, whenever they were computed
    timed: int  #: cells of which that is known

    @cached_property
    def verdict(self) -> Verdict:
        """What follows from the intervals."""
        return self.claim.verdict(self.findings.numbers)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """What follows of each part."""
        return self.claim.outcomes(self.findings.numbers)

    @property
    def where(self) -> tuple[str, str]:
        """The conditions under which it holds, and under which it does not."""
        named = [
            "; ".join(part.condition or part.says for part, found in zip(self.claim.parts, self.outcomes, strict=True) if found is outcome)
            for outcome in (Outcome.HOLDS, Outcome.FAILS)
        ]
        return named[0], named[1]

    @property
    def key_number(self) -> tuple[str, float, float, float]:
        """The part that a summary shows: the first one that fails where the claim as a whole does not hold, else the first."""
        wanted = Outcome.HOLDS if self.verdict is Verdict.HOLDS else Outcome.FAILS
        if not self.findings.numbers:
            return self.findings.remarks[0], float("nan"), float("nan"), float("nan")
        index = next((k for k, outcome in enumerate(self.outcomes) if outcome is wanted), 0)
        part = self.claim.parts[index]
        found = self.findings.numbers[part.key]
        return part.says + (f" ({part.condition})" if part.condition else ""), found.value, found.low, found.high


def load(number: int) -> Claim:
    """The claim of this number. Raises InputError for another one."""
    if number not in CLAIMS:
        raise InputError(f"there is no claim {number}: claims are {numbers_text(CLAIMS)}")
    claim: Claim = import_module(f"optlab.claims.{CLAIMS[number]}").CLAIM
    return claim


def numbers_text(numbers: Any) -> str:
    """Numbers in order, runs of them joined.

    >>> numbers_text([1, 2, 3, 9, 20, 21])
    '1-3, 9, 20-21'
    """
    out: list[list[int]] = []
    for number in sorted(numbers):
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def run_claims(
    only: Sequence[int] | None = None, *, preset: str = "quick", rng: Any = 0, grid: str | Path = Setting.grid,
    store: str | Path | Store | None = None, cluster: str | None = None,
    progress: Progress | None = None, on_damage: Callable[[str], None] | None = None, answered: Callable[[Answer], None] | None = None,
) -> list[Answer]:  # fmt: skip
    """Test claims of the source article.

    Parameters
    ----------
    only
        Their numbers (default: all).
    preset
        ``quick`` or ``full``: the sample sizes.
    rng
        Same seed, same numbers; an int of at least 0 or a numpy Generator.
    grid
        The ``runs.nc`` of a page of ``optlab grid``, for the claim about real networks.
    store
        A folder of finished cells (default: the one in your cache folder).
    cluster
        The address of a Dask scheduler whose workers compute the cells.
    progress, on_damage
        Told claims done, claims in all and what is running; told of damaged files.
    answered
        Given each answer when it is there, in any order, in the thread that called.

    Raises
    ------
    InputError
        A number that is no claim's; UnknownNameError for a preset.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (answer,) = run_claims([11], store=folder)
    >>> answer.verdict.value, round(answer.findings.numbers["step"].value, 2)
    ('holds under conditions', 3.16)
    """
    if preset not in PRESETS:
        raise UnknownNameError("preset", preset, PRESETS)
    claims = [load(number) for number in (sorted(CLAIMS) if only is None else dict.fromkeys(only))]
    if not claims:
        raise InputError("name at least one claim")
    setting = Setting(preset, read_seed(rng), str(grid))
    kept = store if isinstance(store, Store) else Store(store or default_store(), on_damage)
    out: dict[int, Answer] = {}
    stopped = Event()

    def tell(_done: int, _total: int, label: str) -> None:
        if stopped.is_set():
            raise _Stopped
        if progress:
            progress(len(out), len(claims), label)

    with connected(cluster) as machines:

        def answer(claim: Claim) -> Answer:
            began, runner = time.perf_counter(), Runner(kept, tell, None, machines)
            findings = claim.measure(setting, runner)
            spent = time.perf_counter() - began
            out[claim.number] = Answer(claim, findings, spent, runner.computed, runner.read, runner.took, runner.timed)
            return out[claim.number]

        tell_answer = answered or (lambda answer: None)
        networks = sorted((claim for claim in claims if claim.networks), key=lambda claim: -claim.networks)
        others = [claim for claim in claims if not claim.networks]
        if networks and others and machines is None and processes.processes() > 1:
            _both(map(answer, others), map(answer, networks), tell_answer, stopped)
        else:
            for claim in claims:
                tell_answer(answer(claim))
    return [out[claim.number] for claim in claims]


class _Stopped(Exception):
    """What ends claims at their next cell when those beside them have failed or are interrupted. It never leaves this module."""


def _both(here: Iterator[Answer], beside: Iterator[Answer], answered: Callable[[Answer], None], stopped: Event) -> None:
    """Answers found ``here`` in this thread and ``beside`` in another, whose work is done by other processes.

    All are given to ``answered`` in this thread. The first error of either is raised.
    """
    found, raised = SimpleQueue[Answer | None](), list[BaseException]()

    def other() -> None:
        try:
            for answer in beside:
                found.put(answer)
        except BaseException as error:
            raised.append(error)
            stopped.set()
        found.put(None)

    thread = Thread(target=other, daemon=True)
    thread.start()
    try:
        for answer in here:
            answered(answer)
        while (late := found.get()) is not None:
            answered(late)
    except _Stopped:
        pass
    except BaseException:
        stopped.set()
        processes.end()
        thread.join(STOP_SECONDS)
        raise
    thread.join()
    if raised:
        raise raised[0]


__all__ = ["PRESETS", "Answer", "load", "numbers_text", "run_claims"]
