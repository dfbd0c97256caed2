"""Cells computed by the worker processes of a Dask cluster. The store stays here: workers share neither a disk nor a folder with it.

A worker process computes one cell at a time, with as many threads as it was started with. A few cells for each worker are on their way at
once, so a sweep of any length costs the scheduler little. A cell whose worker is lost is computed by another one.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import secrets
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from threading import Event, Lock, Thread
from typing import Any

import xarray as xr

from optlab.errors import ClusterError, InputError, MissingDependencyError
from optlab.experiments.sweep import Cell, Keep, package_fingerprint
from optlab.threads import threads_given

PACKAGES = ("numpy", "numba", "llvmlite", "sympy", "xarray", "dask", "distributed", "cloudpickle")
CONNECT_SECONDS = 10
WAIT_SECONDS = 5.0  #: without a worker, until it is said
log = logging.getLogger(__name__)
_one_cell = Lock()
_LOGS = ("distributed", "distributed.client", "distributed.core", "distributed.batched", "distributed.comm", "tornado", "asyncio")


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Cluster | None]:
    """The cluster whose scheduler is at this address (``tcp://host:8786``), closed at the end; None for None: this machine computes.

    Raises MissingDependencyError without Dask, InputError for what is no address, ClusterError where no scheduler or no worker answers,
    or where a worker has other versions than this process.

    >>> with connected(None) as cluster:
    ...     cluster is None
    True
    """
    if not address:
        yield None
        return
    cluster = Cluster(address)
    try:
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """The worker processes of one scheduler, as what a :class:`~optlab.experiments.sweep.Runner` computes with (its ``cluster``)."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = _client(address)
        self._asked, self._workers = 0.0, 0
        try:
            with self._reached():
                try:
                    self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
                except TimeoutError:
                    raise ClusterError(f"the scheduler at {address} has no workers: start one with `dask worker {address}`") from None
                found = self._client.run(identity, on_error="return")
            _agree(found)
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """Worker processes, as of a second ago."""
        if time.monotonic() - self._asked > 1:
            self._asked, self._workers = time.monotonic(), len(self._client.nthreads())
        return self._workers

    def __call__(self, cells: Iterator[tuple[int, Cell]], keep: Keep) -> None:
        """Compute the cells and hand each result over when it is there, in any order.

        Stopped by an interrupt or an error, it hands over what is finished, calls the rest off and raises: the error of a cell as it was
        there, ClusterError where the scheduler or a cell's workers are lost. Where no worker is left, it says so and waits for one to come.
        """
        from distributed import as_completed

        run = secrets.token_hex(4)
        waiting: dict[Any, tuple[int, Cell]] = {}
        finished = as_completed(loop=self._client.loop)
        try:
            with self._watched():
                while True:
                    with self._reached():
                        while len(waiting) < 2 * self.workers + 2 and (item := next(cells, None)) is not None:
                            future = self._submit(f"cell-{run}-{item[0]}", item[1])
                            waiting[future] = item
                            finished.add(future)
                        if not waiting:
                            return
                        future = next(finished)
                    place, cell = waiting[future]
                    keep(place, self._result(future, cell))
                    del waiting[future]
        except BaseException:
            self._rescue(waiting, keep)
            raise

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Meanwhile, say it once where there are no workers for some seconds, and again only after there were some."""
        over = Event()

        def watch() -> None:
            said, gone = False, 0
            while not over.wait(WAIT_SECONDS / 2):
                try:
                    gone = 0 if self._client.nthreads() else gone + 1
                except Exception:  # the scheduler is lost: what waits for it says so
                    return
                if gone == 2 and not said:
                    log.warning("no worker at %s: waiting for one (start it with `dask worker %s`)", self.address, self.address)
                said = gone >= 2

        watching = Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()

    def close(self) -> None:
        """Let the scheduler go; its workers stay."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)

    def _submit(self, key: str, cell: Cell) -> Any:
        compute = cell.elsewhere or cell.compute
        return self._client.submit(compute_there, compute, package_fingerprint(), key=key, pure=False)

    def _result(self, future: Any, cell: Cell) -> xr.Dataset:
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        if future.cancelled():
            raise self._lost("it has closed the connection")
        try:
            return future.result()
        except CommClosedError:
            raise self._lost("CommClosedError") from None
        except KilledWorker as error:
            raise ClusterError(
                f"cell {cell.name!r} is given up: {error.allowed_failures + 1} workers died while they had it (short of memory?);"
                " finished cells are kept"
            ) from None

    def _rescue(self, waiting: dict[Any, tuple[int, Cell]], keep: Keep) -> None:
        """Keep what is finished, as far as it can still be had, and call the rest off."""
        with contextlib.suppress(Exception):
            done = {future: item for future, item in waiting.items() if future.status == "finished"}
            self._client.cancel([future for future in waiting if future not in done], force=True)
            for future, (place, _) in done.items():
                keep(place, future.result(timeout=5))

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Where the scheduler cannot be reached any more, say so in one line. Errors of cells do not pass here."""
        try:
            yield
        except OSError as error:  # of which the connection's errors and timeouts are kinds
            raise self._lost(type(error).__name__) from None

    def _lost(self, why: str) -> ClusterError:
        return ClusterError(f"the scheduler at {self.address} is lost ({why}); finished cells are kept: start it and run again")


def compute_there(compute: Callable[[], xr.Dataset], expected: str) -> xr.Dataset:
    """What a worker does for one cell: see that it has the sender's engine, and compute with the threads that it was given."""
    from distributed import get_worker

    worker = get_worker()
    if package_fingerprint() != expected:
        raise ClusterError(f"worker {worker.address} has another optlab ({package_fingerprint()}, not {expected}): install the same there")
    with _one_cell, threads_given(worker.state.nthreads):
        return compute()


def identity() -> dict[str, str]:
    """What the numbers of a process depend on: the source of optlab, Python and the packages that compute."""
    found = {"optlab": package_fingerprint(), "Python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _agree(found: dict[str, Any]) -> None:
    """Raises ClusterError naming the first worker that differs, and in what."""
    here = identity()
    for address, there in found.items():
        if not isinstance(there, dict):
            raise ClusterError(f"worker {address} cannot run optlab ({_first_line(there)}): install the same optlab there")
        for name, value in here.items():
            if there.get(name) != value:
                what = "another optlab" if name == "optlab" else f"another {name}"
                raise ClusterError(f"worker {address} has {what} ({there.get(name)}, here {value}): install the same on both machines")


def _first_line(error: object) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


def _client(address: str) -> Any:
    try:
        import cloudpickle  # type: ignore[import-untyped]
        from distributed import Client
    except ImportError:
        raise MissingDependencyError(f"the cluster {address} needs Dask: pip install 'optlab[cluster]'") from None
    for name in _LOGS:  # what goes wrong is said in one line, here
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name, module in list(sys.modules.items()):
        if name.startswith("optlab_user_"):  # functions of a user's file go by value: the file is not on other machines
            cloudpickle.register_pickle_by_value(module)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions there are an error here
            return Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="optlab")
    except (ValueError, TypeError) as error:
        raise InputError(f"cluster {address!r} is no address ({_first_line(error)}): give tcp://host:8786") from None
    except (OSError, TimeoutError) as error:
        raise ClusterError(
            f"no scheduler answers at {address} ({type(error).__name__}): start one with `dask scheduler`, or correct the address"
        ) from None
