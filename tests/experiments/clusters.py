"""A Dask scheduler and its worker processes on this machine, as a user starts them, and cells for them."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import xarray as xr

from optlab.errors import InputError

ROOT = Path(__file__).parents[2]


class LocalMachines:
    """``dask scheduler`` and ``dask worker`` processes; each worker has a kernel cache of its own folder's name."""

    def __init__(self, folder: Path):
        self.folder, self.workers = folder, []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def add(self, threads=1, environment=None):
        """Start a worker process without a nanny: what is killed stays dead."""
        arguments = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder))
        self.workers.append(self._dask("worker", self.address, *arguments, environment=environment))
        return self.workers[-1]

    def _dask(self, *arguments, environment=None):
        log = (self.folder / f"{arguments[0]}-{len(self.workers)}.log").open("w")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments], cwd=ROOT, stdout=log, stderr=log, env=os.environ | (environment or {})
            )

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait(60)


def marked(folder, number, seconds=0.0):
    """A cell that leaves a mark of the worker process that computed it."""
    time.sleep(seconds)
    Path(folder, f"{number}-{os.getpid()}-{time.monotonic_ns()}").write_text("")
    return xr.Dataset({"x": float(number)})


def threads_of_a_worker():
    from optlab.threads import usable_threads

    return xr.Dataset({"threads": usable_threads(), "process": os.getpid()})


def failing():
    raise InputError("alpha = -1 is out of range: give a positive number")


def deadly():
    os._exit(9)
