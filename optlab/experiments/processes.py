"""Cells that keep one core busy, side by side in processes of this machine: small networks, whose steps are too short to share.

A worker is a Python of its own that is handed functions of values on its standard input, as a cluster's workers are, and writes back what
they return. It ends when that input does: with this process, however that ends. ``OPTLAB_PROCESSES`` says how many there are (by
default as many as there are cores); 1 computes everything here. Numbers do not depend on it.

Networks have kernels of their own, whose compiling takes longer than a run of a small one. So the first cell of a network goes ahead, and
those that need the same kernels wait until it has left them in the cache; else every worker would compile them.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import IO, TYPE_CHECKING, Any

import xarray as xr

from optlab.errors import InputError, OptlabError
from optlab.threads import threads_given, usable_threads

if TYPE_CHECKING:
    from optlab.experiments.sweep import Cell, Keep

SETTINGS = ("OPTLAB_CACHE", "OPTLAB_DATA", "OPTLAB_DERIVE")  #: of the environment, sent along: they may have changed since a worker began
_SIZE = struct.Struct("<Q")
_team: list[Worker] = []
_handing = Lock()  #: the team works for one list of cells at a time
_compiled: set[str] = set()  #: what ``kernels_of`` says of cells that have been computed


def processes() -> int:
    """How many cells run side by side. Raises InputError for a setting that is no number of at least 1."""
    asked = os.environ.get("OPTLAB_PROCESSES")
    if not asked:
        return usable_threads()
    if not asked.isdecimal() or int(asked) < 1:
        raise InputError(f"OPTLAB_PROCESSES = {asked!r}: give a whole number of at least 1, or unset it")
    return int(asked)


class Worker:
    """A process that computes one cell at a time."""

    def __init__(self) -> None:
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )  # a session of its own: Ctrl-C is for this process, which then ends it

    def compute(self, task: bytes) -> xr.Dataset:
        """What the task returns. Raises the error that it raised, or OptlabError if the worker has died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            _write(self._process.stdin, task)
            answer = _read(self._process.stdout)
        except OSError:
            answer = None
        if answer is None:
            raise OptlabError(f"a worker process ended with {self._process.wait()}; run again, or with OPTLAB_PROCESSES=1")
        good, value = pickle.loads(answer)
        if not good:
            raise value
        found: xr.Dataset = value
        return found

    def end(self) -> None:
        """Stop it, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()


def side_by_side(cells: Iterator[tuple[int, Cell]], keep: Keep) -> None:
    """Compute cells of one core each in worker processes, in any order; the others, and a single one, here.

    Stopped by an interrupt or an error, the workers are ended; what they had finished has been kept.
    """
    waiting = list(cells)
    tasks = [Task(place, task, kernels_of(cell.spec)) for place, cell in waiting if cell.single and (task := sent(cell)) is not None]
    count = min(processes(), len(tasks))
    away = {task.place for task in tasks} if count > 1 else set()
    if away:
        with _handing:
            _spread(Waiting(tasks), count, keep)
    for place, cell in waiting:
        if place not in away:
            keep(place, cell.compute())


def sent(cell: Cell) -> bytes | None:
    """The cell's function as it is sent; None where it cannot be."""
    settings = {name: os.environ.get(name) for name in SETTINGS}
    try:
        return pickle.dumps((settings, cell.elsewhere or cell.compute))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def kernels_of(spec: Mapping[str, Any]) -> str | None:
    """What cells of the same kernels have in common: their kind and network; None where there is none.

    >>> kernels_of({"kind": "images", "model": "mlp", "seed": 1}), kernels_of({"kind": "line", "seed": 1})
    ('["images", "mlp", null, null]', None)
    """
    network = [spec.get(key) for key in ("model", "hidden", "loss")]
    return None if network == [None] * 3 else json.dumps([spec.get("kind"), *network], sort_keys=True)


@dataclass(frozen=True)
class Task:
    """A cell as it is sent: its place, its function, and what ``kernels_of`` says of it."""

    place: int
    text: bytes
    kernels: str | None


class Waiting:
    """Tasks that nobody has yet: first those that go ahead with new kernels, then the others in their order."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        first: dict[str, Task] = {}
        for task in tasks:
            if task.kernels is not None and task.kernels not in _compiled:
                first.setdefault(task.kernels, task)
        self._ahead = {task.place: task.kernels for task in first.values()}
        self._left = sorted(tasks, key=lambda task: task.place not in self._ahead)
        self._awaited = set(first)  #: kernels that are not in the cache yet

    def next(self) -> Task | None:
        """One that can be computed now, and is handed out with this; None: there is none, or all wait for kernels."""
        for place, task in enumerate(self._left):
            if task.place in self._ahead or task.kernels not in self._awaited:
                return self._left.pop(place)
        return None

    def done(self, place: int) -> None:
        """The task of this place has been computed."""
        kernels = self._ahead.get(place)
        if kernels is not None:
            self._awaited.discard(kernels)
            _compiled.add(kernels)


def _spread(waiting: Waiting, count: int, keep: Keep) -> None:
    while len(_team) < count:
        _team.append(Worker())
    done = SimpleQueue[tuple[int, Any]]()

    def work(worker: Worker, task: Task) -> None:
        try:
            done.put((task.place, worker.compute(task.text)))
        except BaseException as error:
            done.put((task.place, error))

    idle, busy = _team[:count], dict[int, Worker]()

    def hand_out() -> None:
        while idle and (task := waiting.next()) is not None:
            busy[task.place] = idle.pop()
            Thread(target=work, args=(busy[task.place], task), daemon=True).start()

    try:
        hand_out()
        while busy:
            place, found = done.get()
            idle.append(busy.pop(place))
            if isinstance(found, BaseException):
                raise found
            waiting.done(place)
            hand_out()  # before the result is kept: nobody waits for the disk
            keep(place, found)
    except BaseException:
        end()
        raise


@atexit.register
def end() -> None:
    """End the workers; the next cells begin new ones."""
    while _team:
        _team.pop().end()


def serve() -> None:
    """What a worker does: tasks from standard input to standard output, until there are no more."""
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a cell prints does not go among the answers
    with suppress(OSError):  # where nobody is there to read an answer
        while (task := _read(tasks)) is not None:
            _write(answers, _answer(task))


def _answer(task: bytes) -> bytes:
    try:
        settings, compute = pickle.loads(task)
        for name, value in settings.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
        with threads_given(1):
            return pickle.dumps((True, _computed(compute)))
    except Exception as error:
        try:
            pickle.loads(text := pickle.dumps((False, error)))
        except Exception:
            text = pickle.dumps((False, OptlabError(f"{type(error).__name__}: {error}")))
        return text


def _computed(compute: Callable[[], xr.Dataset]) -> xr.Dataset:
    return compute().load()


def _write(pipe: IO[bytes], text: bytes) -> None:
    pipe.write(_SIZE.pack(len(text)))
    pipe.write(text)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    text = pipe.read(_SIZE.unpack(head)[0])
    return text if len(text) == _SIZE.unpack(head)[0] else None


__all__ = ["end", "processes", "serve", "side_by_side"]
