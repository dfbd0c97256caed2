"""What an interrupted run keeps: one file that is replaced as a whole and belongs to one run alone."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from optlab.ensemble.specs import canonical_json
from optlab.errors import InputError, StoreError
from optlab.files import write_atomically
from optlab.training.progress import Progress


class Checkpoint:
    """The file of one run. ``spec`` is all that its numbers depend on: another run does not take it for its own."""

    def __init__(self, path: Path, spec: dict[str, Any]) -> None:
        self.path = Path(path)
        self.identity = hashlib.sha256(canonical_json(spec).encode()).hexdigest()
        if not self.path.parent.is_dir():
            raise InputError(f"checkpoint {self.path}: there is no folder {str(self.path.parent)!r}; make it first")

    def refuse(self) -> None:
        """Raise InputError if there is a file: a run that was not asked to go on does not overwrite one."""
        if self.path.exists():
            raise InputError(f"{self.path} holds an interrupted run: go on with it (--resume), or delete it")

    def load(self) -> Progress | None:
        """What the file holds, None without one. Raises InputError if it is another run's, StoreError if it is broken."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"checkpoint {self.path} cannot be read ({error.strerror})") from None
        body, digest = content[:-32], content[-32:]
        try:
            if hashlib.sha256(body).digest() != digest:
                raise ValueError("its checksum does not match")
            with np.load(io.BytesIO(body), allow_pickle=False) as file:
                held = dict(file)
            identity = str(held.pop("identity"))
            if identity == self.identity:
                return Progress.from_arrays(held)
        except Exception as error:  # whatever a damaged file makes the readers raise
            reason = str(error) if type(error) is ValueError and "checksum" in str(error) else type(error).__name__
            raise StoreError(f"checkpoint {self.path} is damaged ({reason}): delete it to start anew") from None
        raise InputError(f"checkpoint {self.path} belongs to another run: repeat its options, name another file, or delete it")

    def save(self, progress: Progress) -> None:
        """Write what is done so far."""
        buffer = io.BytesIO()
        np.savez(buffer, identity=np.array(self.identity), **progress.arrays())  # type: ignore[arg-type]
        body = buffer.getvalue()
        try:
            write_atomically(self.path, body + hashlib.sha256(body).digest())
        except OSError as error:
            raise StoreError(f"checkpoint {self.path} cannot be written ({error.strerror}): name a file you can write to") from None

    def remove(self) -> None:
        """The run is complete."""
        self.path.unlink(missing_ok=True)
