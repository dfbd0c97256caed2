"""What an interrupted launch keeps: the statistics of the chunks that are done, in one file that is replaced as a whole."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optlab.ensemble.cell import Cell, Piece
from optlab.ensemble.layout import BLOCK
from optlab.ensemble.specs import canonical_json
from optlab.ensemble.statistics import Tally
from optlab.errors import InputError, StoreError
from optlab.files import write_atomically


class Checkpoint:
    """The file of one launch. It holds the launch's identity: another launch does not take it for its own."""

    def __init__(self, path: Path, cells: Sequence[Cell]) -> None:
        self.path, self.cells = Path(path), cells
        if not self.path.parent.is_dir():
            raise InputError(f"checkpoint {self.path}: there is no folder {str(self.path.parent)!r}; make it first")
        text = canonical_json([cell.request.spec() | dict(cell.place) for cell in cells])
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def resume(self) -> None:
        """Take up what the file holds, if there is one. Raises InputError if it belongs to another launch, StoreError if it is broken."""
        if not self.path.exists():
            return
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as file:
                held = dict(file)
            identity = str(held.pop("identity"))
        except OSError as error:
            raise StoreError(f"checkpoint {self.path} cannot be read ({error.strerror}): name another file") from None
        except Exception as error:  # whatever a damaged file makes the readers raise
            raise StoreError(f"checkpoint {self.path} is damaged ({type(error).__name__}): delete it to start anew") from None
        if identity != self.identity:
            raise InputError(f"checkpoint {self.path} belongs to another request: delete it, or name another file")
        for number, cell in enumerate(self.cells):
            try:
                _restore(cell, {key.split("/", 1)[1]: value for key, value in held.items() if key.startswith(f"{number}/")})
            except Exception as error:
                raise StoreError(f"checkpoint {self.path} is damaged ({type(error).__name__}): delete it to start anew") from None

    def save(self) -> None:
        """Write the statistics so far."""
        held: dict[str, Any] = {"identity": np.array(self.identity)}
        for number, cell in enumerate(self.cells):
            if cell.done or cell.pending:
                held |= {f"{number}/{key}": value for key, value in _state(cell).items()}
        buffer = io.BytesIO()
        np.savez(buffer, **held)
        try:
            write_atomically(self.path, buffer.getvalue())
        except OSError as error:
            raise StoreError(
                f"checkpoint {self.path} cannot be written ({error.strerror}): name a file in a folder you can write to"
            ) from None

    def remove(self) -> None:
        """The launch is complete."""
        self.path.unlink(missing_ok=True)


def _state(cell: Cell) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {"done": np.array(cell.done)}
    for name, tree in (("losses", cell.losses), ("coordinates", cell.coordinates)):
        for place, (level, moments) in enumerate(tree.nodes):
            out[f"{name}-{place}-{level}"] = moments
    for piece in cell.pending.values():
        name = f"piece-{piece.first}-{piece.count}-{piece.level}"
        out[f"{name}-losses"] = piece.losses
        for key, value in (("coordinates", piece.coordinates),):
            if value is not None:
                out[f"{name}-{key}"] = value
        for key, pair in (("kept", piece.kept), ("outcomes", piece.outcomes)):
            if pair is not None:
                out |= {f"{name}-{key}{k}": value for k, value in enumerate(pair)}
    if cell.tallies:
        out |= {f"count-{key}": value for key, value in cell.counts().arrays().items()}
    kept = {"theta": cell.kept_theta, "loss": cell.kept_loss, "diverged_at": cell.diverged_at, "final_loss": cell.final_loss}
    return out | {f"run-{key}": value for key, value in kept.items() if value.size}


def _restore(cell: Cell, held: dict[str, np.ndarray]) -> None:
    if not held:
        return
    cell.done = int(held["done"])
    for name, tree in (("losses", cell.losses), ("coordinates", cell.coordinates)):
        found = sorted((key.split("-") for key in held if key.startswith(f"{name}-")), key=lambda parts: int(parts[1]))
        tree.nodes = [(int(level), held[f"{name}-{place}-{level}"]) for _, place, level in found]
    for key in [key for key in held if key.startswith("piece-") and key.endswith("-losses")]:
        name = key.removesuffix("-losses")
        first, count, level = (int(part) for part in name.split("-")[1:])
        pairs = [(held[f"{name}-{what}0"], held[f"{name}-{what}1"]) if f"{name}-{what}0" in held else None for what in ("kept", "outcomes")]
        cell.pending[first // BLOCK] = Piece(first, count, level, held[key], held.get(f"{name}-coordinates"), *pairs)
    if "count-rows" in held:
        counts = {key.removeprefix("count-"): value for key, value in held.items() if key.startswith("count-")}
        cell.spare.put(Tally.of(counts, cell.new_tally()))
    for key, target in (
        ("theta", cell.kept_theta),
        ("loss", cell.kept_loss),
        ("diverged_at", cell.diverged_at),
        ("final_loss", cell.final_loss),
    ):
        if f"run-{key}" in held:
            target[...] = held[f"run-{key}"]
