"""Reading a table of numbers from a CSV file, and the linear model on it.

Every defect of a file is one line: the file, the line in it, the column, the mend.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from optlab.errors import InputError, short

DELIMITERS = (",", ";", "\t")
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})  #: cells that hold no number, in lower case
INTERCEPT = "(intercept)"  #: the name of the column of ones
LARGEST = 1e30  #: fourth moments of larger numbers overflow
SMALLEST_SPREAD = 1e-100  #: a column that varies by less cannot be worked with in float64
MEND_MISSING = "correct it, or drop such rows with drop_missing=True (--drop-missing)"


def _listed(names: Sequence[str], shown: int = 8) -> str:
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(short(name) for name in names[:shown]) + more


@dataclass(frozen=True, eq=False)
class Table:
    """Features (n, d) and target (n,) in float64, with the names of their columns; ``dropped`` rows had missing cells.

    Raises InputError unless there are two rows, a feature, only finite numbers, and no column that is constant.

    >>> Table(np.array([[1.0], [2.0]]), np.array([3.0, 5.0]), ("x",), "y").n
    2
    """

    features: np.ndarray
    target: np.ndarray
    names: tuple[str, ...]
    target_name: str
    dropped: int = 0
    path: str = "table"

    def __post_init__(self) -> None:
        shapes = f"features {np.shape(self.features)}, target {np.shape(self.target)}, {len(self.names)} names"
        if np.ndim(self.features) != 2 or np.shape(self.features) != (np.size(self.target), len(self.names)) or np.ndim(self.target) != 1:
            raise InputError(f"{self.path}: shapes do not fit ({shapes}); give features (n, d), target (n,) and d names")
        if not self.names:
            raise InputError(f"{self.path}: the target {short(self.target_name)} is the only column; add at least one feature column")
        if self.n < 2:
            left = "no row is left" if self.n == 0 else "only one row of numbers"
            after = f" after dropping {self.dropped} with missing cells" if self.dropped else ""
            raise InputError(f"{self.path}: {left}{after}; a fit needs at least two rows")
        for name, values in [*zip(self.names, np.asarray(self.features).T, strict=True), (self.target_name, np.asarray(self.target))]:
            place = f"{self.path}: column {short(name)}"
            if values.dtype.kind != "f" or not np.all(np.isfinite(values)):
                raise InputError(f"{place} holds something that is not a finite number; mend or drop those rows")
            low, high = float(values.min()), float(values.max())
            if low == high:
                why = "nothing is left to fit" if values is self.target else "it cannot be told from the intercept"
                mend = "choose another target" if values is self.target else "drop the column (columns=[...] chooses which to use)"
                raise InputError(f"{place} is {low:g} in every row, so {why}; {mend}")
            if not SMALLEST_SPREAD < high - low < math.inf:
                raise InputError(f"{place} ranges from {low:g} to {high:g}, which float64 cannot work with; change its unit")

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.target)


@dataclass(frozen=True, eq=False)
class Design:
    """The linear model of a table: X (n, d), whose last column is ones, and y (n,), in the units that are worked with."""

    X: np.ndarray
    y: np.ndarray
    names: tuple[str, ...]  #: d names, "(intercept)" last
    center: np.ndarray  #: (d - 1,) subtracted from the features
    scale: np.ndarray  #: (d - 1,) that they were divided by
    target_center: float  #: subtracted from the target

    @staticmethod
    def of(table: Table, standardize: bool) -> Design:
        """The features as they are, or with mean 0 and variance 1 (divisor n) and the target with mean 0.

        Raises InputError for numbers beyond 1e30, whose fourth moments overflow.
        """
        d = table.features.shape[1]
        center, scale, target_center = np.zeros(d), np.ones(d), 0.0
        if standardize:  # through columns in [0, 1], where squares neither overflow nor underflow
            low, spread = table.features.min(0), np.ptp(table.features, 0)
            unit = (table.features - low) / spread
            center, scale = low + unit.mean(0) * spread, unit.std(0) * spread
            target_center = float(table.target.min() + (table.target - table.target.min()).mean())
        X, y = np.c_[(table.features - center) / scale, np.ones(table.n)], table.target - target_center
        for name, values in [*zip(table.names, X.T, strict=False), (table.target_name, y)]:
            if not np.abs(values).max() <= LARGEST:
                mend = "" if standardize or values is y else ", or standardize (--standardize)"
                raise InputError(f"{table.path}: column {short(name)} has numbers beyond {LARGEST:g}; change its unit{mend}")
        return Design(X, y, (*table.names, INTERCEPT), center, scale, target_center)

    def to_raw(self, theta: np.ndarray) -> dict[str, float]:
        """Coefficients theta (d,) of the columns worked with, as coefficients of the file's columns.

        With z = (x - center) / scale and y = target - target_center, ``z . w + b = y`` reads
        ``x . (w / scale) + b - center . (w / scale) + target_center = target``.
        """
        slopes = np.asarray(theta, float)[:-1] / self.scale
        values = [*slopes, float(theta[-1]) - float(self.center @ slopes) + self.target_center]
        return dict(zip(self.names, map(float, values), strict=True))

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """The eigenvalues of ``X'X/n`` that are not zero (rank,), descending, and the minimizer of least norm (d,).

        Rank is decided on singular values as ``numpy.linalg.matrix_rank`` does.
        """
        root = math.sqrt(len(self.y))
        left, singular, right = np.linalg.svd(self.X / root, full_matrices=False)
        rank = int((singular > singular[0] * max(self.X.shape) * np.finfo(float).eps).sum())
        theta = right[:rank].T @ (left[:, :rank].T @ (self.y / root) / singular[:rank])
        return singular[:rank] ** 2, theta


def read_table(
    path: str | os.PathLike[str], target: str | None, *, drop_missing: bool = False, columns: Sequence[str] | None = None
) -> Table:
    """Read a CSV file with a header line: one target column, and every other column (or ``columns``) a feature.

    The file is UTF-8 (a byte-order mark is allowed), its cells are separated by commas, semicolons or tabs, its
    numbers are written with a decimal point. Blank lines are skipped. Columns that are not used may hold text.

    Parameters
    ----------
    target
        The name of the column to fit.
    drop_missing
        Drop the rows that have an empty, NA, NaN or infinite cell in a used column, and count them. Text stays an error.
    columns
        The feature columns to use, in this order (all but the target by default).

    Returns
    -------
    Table
        features (n, d) and target (n,), float64, in the units of the file.

    Raises
    ------
    InputError
        One line that names the file, the line in the file, the column, and how to mend it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "t.csv"
    ...     _ = file.write_text("x;y\\n1;2\\n2;4\\n3;\\n")
    ...     table = read_table(file, "y", drop_missing=True)
    >>> table.names, table.features.tolist(), table.dropped
    (('x',), [[1.0], [2.0]], 1)
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"path = {short(path)} is no path: give the name of a CSV file")
    shown = "".join(c if c.isprintable() else "?" for c in os.fsdecode(path)) or "''"
    records = _records(_text(path, shown), shown)
    line, header = next(records, (0, []))
    if not header:
        raise InputError(f"{shown}: the file is empty; it needs a header line with column names, then rows of numbers")
    names = [name.strip() for name in header]
    for position, name in enumerate(names):
        if not name:
            raise InputError(f"{shown}, line {line}: column {position + 1} has an empty name; name every column in the header line")
        if name in names[:position]:
            raise InputError(
                f"{shown}, line {line}: columns {names.index(name) + 1} and {position + 1} are both named {short(name)}; rename one"
            )
    if target is None:
        raise InputError(f"{shown}: which column is the target? Name one of {_listed(names)} (--target)")
    wanted = [name for name in names if name != target] if columns is None else list(columns)
    used = [_position(name, names, shown, line) for name in [*wanted, target]]
    if len(set(used)) < len(used):
        twice = next(names[p] for i, p in enumerate(used) if p in used[:i])
        raise InputError(f"{shown}: column {short(twice)} is chosen twice; name each feature once, and not the target")
    if not wanted:
        raise InputError(f"{shown}: the target {short(target)} is the only column; add at least one feature column")

    rows: list[list[float]] = []
    dropped = 0
    table = list(records)
    for line, cells in table:
        if len(cells) != len(names):
            raise InputError(f"{shown}, line {line}: {len(cells)} cells where the header has {len(names)}; give one cell per column")
        try:
            values = [_number(cells[p].strip(), drop_missing) for p in used]
        except ValueError:
            raise InputError(_mend([cells for _, cells in table], line, cells, used, names, shown, drop_missing)) from None
        if all(map(math.isfinite, values)):
            rows.append(values)
        else:
            dropped += 1
    if not rows and not dropped:
        raise InputError(f"{shown}: there is a header but no row under it; add at least two rows of numbers")
    numbers = np.array(rows, np.float64).reshape(-1, len(used))
    return Table(np.ascontiguousarray(numbers[:, :-1]), numbers[:, -1].copy(), tuple(wanted), str(target), dropped, shown)


def _text(path: str | os.PathLike[str], shown: str) -> str:
    try:
        if Path(path).is_dir():
            raise InputError(f"{shown} is a folder; name the CSV file in it")
        data = Path(path).read_bytes()
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{shown}: there is no such file; check its name and folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be that of a file"
        raise InputError(f"{shown}: cannot be read ({reason}); name a CSV file that you may read") from None
    if data[:4] == b"PK\x03\x04":
        raise InputError(f"{shown}: this is a spreadsheet or an archive, not a CSV file; export the sheet as CSV (UTF-8)")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{shown}: the text is UTF-16; save it as UTF-8")
    if b"\x00" in data:
        raise InputError(f"{shown}, line {_line_of(data, data.index(0))}: a NUL byte, so this is no text file; export it as CSV (UTF-8)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}, line {_line_of(data, error.start)}: not UTF-8 text; save the file as UTF-8") from None


def _line_of(data: bytes, place: int) -> int:
    return data[:place].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1


def _records(text: str, shown: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it starts, cells) of every record that is not blank."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda d: first.count(d))  # a tie goes to the comma
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(f"{shown}, line {start}: cannot be read as CSV ({error}); check the quotation marks") from None
        if len(cells) > 1 or any(cell.strip() for cell in cells):
            yield start, cells


def _position(name: object, names: list[str], shown: str, line: int) -> int:
    if name in names:
        return names.index(str(name))
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {short(near[0])}?" if near else "choose a column that is there;"
    headless = "; is the header line missing?" if all(map(_is_number, names)) else ""
    raise InputError(f"{shown}, line {line}: no column is named {short(name)}; {hint} (columns: {_listed(names)}){headless}")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _number(cell: str, drop_missing: bool) -> float:
    """The number of a cell, not finite where the row is to be dropped; ValueError where it is none."""
    if cell.lower() in MISSING:
        value = math.nan
    elif _is_number(cell):
        value = float(cell)
    else:
        raise ValueError
    if not drop_missing and not math.isfinite(value):
        raise ValueError
    return value


def _is_text(cell: str) -> bool:
    """Whether a cell is neither a number, with a comma or not, nor a sign that there is none."""
    return not (cell.lower() in MISSING or _is_number(cell) or _is_number(cell.replace(",", ".")))


def _mend(
    rows: Sequence[Sequence[str]], line: int, cells: Sequence[str], used: Sequence[int], names: list[str], shown: str, drop_missing: bool
) -> str:
    """What is wrong with the first cell of a row that is no number, and what to do about all that are like it."""

    def wrong(cell: str) -> bool:
        try:
            _number(cell, drop_missing)
        except ValueError:
            return True
        return False

    place = next(p for p in used if wrong(cells[p].strip()))
    cell, full = cells[place].strip(), [row for row in rows if len(row) == len(names)]
    where = f"{shown}, line {line}, column {short(names[place])}"
    if cell.lower() in MISSING or _is_number(cell):
        count = sum(any(not _is_text(row[p].strip()) and wrong(row[p].strip()) for p in used) for row in full)
        what = (
            "the cell is empty"
            if not cell
            else f"{cell} is no number"
            if cell.lower() in MISSING
            else f"{short(cell)} is not a finite number"
        )
        return f"{where}: {what}; {MEND_MISSING}: {count:,} of {len(rows):,} rows"
    said = f"{where}: {short(cell)} is text, not a number"
    if not _is_text(cell):
        return f"{said}; write numbers with a decimal point"
    texts = [p for p in used if 2 * sum(_is_text(row[p].strip()) for row in full) > len(full)]
    if place not in texts:
        return f"{said}; give a number, or leave the column out"
    if place == used[-1]:
        values = sorted({row[place].strip() for row in full})
        return f"{said}, and it is the target ({_listed(values, 3)}); write it as numbers, such as 0 and 1 for two classes"
    kept = [names[p] for p in used[:-1] if p not in texts]
    if not kept:
        return f"{said}, and no other feature is numbers; add a column of numbers"
    which = "leave it out" if texts == [place] else f"leave out {', '.join(short(names[p]) for p in texts if p != used[-1])}"
    return f"{said}; {which}: --columns {','.join(kept)} (in Python columns=[...])"
