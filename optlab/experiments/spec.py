"""What a report is asked to hold: a TOML file, checked, with a default for everything."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from optlab.errors import InputError, short

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**9)]


#: The rules that are compared where none are named.
USUAL_RULES = ("sgd", "momentum", "nesterov", "ema_momentum", "rmsprop", "adam", "adamw")


class Strict(BaseModel):
    """A table of the spec: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Distinct(Strict):
    """A table whose lists are axes of what is run: a value that stands there twice is an error."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in type(self).model_fields:
            values = getattr(self, key)
            if isinstance(values, list):
                twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
                if twice is not None:
                    raise ValueError(f"{key} holds {short(twice)} twice; name each once")
        return self


S = TypeVar("S", bound=Strict)


class Quadratics(Distinct):
    """The comparison on ill-conditioned quadratics."""

    kappas: list[Annotated[float, Field(ge=1, le=1e12)]] = Field(default=[100.0, 1000.0], min_length=1)
    dim: Annotated[int, Field(ge=2, le=2000)] = 20
    spectrum: Literal["log", "two_point", "uniform"] = "log"
    rotation: Annotated[int, Field(ge=0)] | None = None
    noise: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    batch: Count = 16
    steps: Count = 2000
    trajectories: Annotated[int, Field(ge=64)] = 4000


class Regimes(Strict):
    """The 1/sqrt(T) and 1/T regimes of decaying step sizes."""

    condition_number: Annotated[float, Field(ge=1, le=1e6)] = 10.0
    dim: Annotated[int, Field(ge=2, le=2000)] = 4
    noise: Positive = 1.0
    steps: Annotated[int, Field(ge=100)] = 30_000
    trajectories: Annotated[int, Field(ge=64)] = 1600
    replicates: Annotated[int, Field(ge=3, le=1000)] = 16


class LineFit(Strict):
    """The numerical example y = w x + b."""

    runs: Annotated[int, Field(ge=100)] = 20_000
    steps: Count = 100
    batch: Count = 16
    alpha: Positive = 0.1
    label_noise: Positive = 0.1
    table_rows: Annotated[int, Field(ge=2)] = 200

    @model_validator(mode="after")
    def _fits(self) -> LineFit:
        if self.batch > self.table_rows:
            raise ValueError(f"batch = {self.batch} is more than table_rows = {self.table_rows}: the fixed table gives each row once")
        return self


class Ravine(Strict):
    """Trajectories over the contours of a two-dimensional ravine."""

    kappa: Annotated[float, Field(ge=1, le=1e6)] = 50.0
    steps: Count = 80


class TableSection(Strict):
    """A user's own table, advised on."""

    path: str
    target: str
    standardize: bool = True
    drop_missing: bool = False
    batch: Count = 16


class ProblemSection(Strict):
    """A problem of one's own, such as ``"symbolic('x**4 - x**2 + y**2', noise=0.1)"``; neither alpha nor schedule: a grid is searched."""

    problem: str
    name: str | None = None
    alpha: Positive | None = None
    schedule: str | None = None
    batch: Count = 16
    steps: Count = 1000
    trajectories: Annotated[int, Field(ge=64)] = 2000


class ReportSpec(Strict):
    """A whole report. Every key may be left out; ``sections`` chooses what is run, ``problem`` adds problems of one's own."""

    title: str = "What do these optimizers do?"
    seed: Annotated[int, Field(ge=0)] = 0
    sections: list[Literal["quadratics", "regimes", "ravine", "line_fit"]] = ["quadratics", "regimes", "ravine", "line_fit"]
    rules: list[str] = Field(default=list(USUAL_RULES), min_length=1)
    quadratics: Quadratics = Quadratics()
    regimes: Regimes = Regimes()
    line_fit: LineFit = LineFit()
    ravine: Ravine = Ravine()
    problem: list[ProblemSection] = []
    table: TableSection | None = None


_TABLES: dict[str, type[Strict]] = {
    "quadratics": Quadratics, "regimes": Regimes, "line_fit": LineFit, "ravine": Ravine, "table": TableSection, "problem": ProblemSection,
}  # fmt: skip


def read_spec(path: str | Path | None) -> ReportSpec:
    """Read a TOML spec; None gives the default one, with the example table where it is at hand.

    Raises InputError with one line naming the file, the key and what was expected.
    """
    if path is None:
        here = Path("examples/data/diabetes.csv"), Path(__file__).parents[2] / "examples/data/diabetes.csv"
        found = next((p for p in here if p.is_file()), None)
        return ReportSpec(table=TableSection(path=str(found), target="progression") if found else None)
    path = path_of(path)
    spec = parse_spec(read_toml(path), str(path))
    folder = path.parent
    rules = [_beside(folder, rule) for rule in spec.rules]
    table = spec.table and spec.table.model_copy(update={"path": _beside(folder, spec.table.path)})
    return spec.model_copy(update={"rules": rules, "table": table})


def path_of(spec: object) -> Path:
    """The path of a spec. Raises InputError for what is neither a path, nor a dict, nor a spec."""
    if not isinstance(spec, (str, Path)):
        raise InputError(f"{short(spec)} is no spec: give the path of a TOML file, or a dict")
    return Path(spec)


def read_toml(path: Path) -> dict[str, Any]:
    """What the TOML file holds. Raises InputError with one line that names it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no spec file {str(path)!r}; give the path of a TOML file, or none for the default") from None
    except IsADirectoryError:
        raise InputError(f"the spec {str(path)!r} is a folder; name the TOML file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name cannot be that of a file"
        raise InputError(f"cannot read the spec {str(path)!r}: {reason}; name a TOML file that you may read") from None
    try:
        text = content.decode("utf-8-sig")  # editors of Windows begin a file with a byte-order mark
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None
    return parse_toml(text, str(path))


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """What TOML text holds. Raises InputError with one line that names the place.

    >>> parse_toml("steps = ", "mine.toml")
    Traceback (most recent call last):
    optlab.errors.InputError: mine.toml: not valid TOML: Invalid value (at end of document)
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError also for whole numbers of thousands of digits
        reason = str(error).splitlines()[0] if isinstance(error, tomllib.TOMLDecodeError) else "a whole number has too many digits"
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else reason
        raise InputError(f"{where}: not valid TOML: {reason}") from None


def _beside(folder: Path, name: str) -> str:
    """A path in a spec is looked for from where the command runs, then beside the spec."""
    head = name.partition(":")[0]
    return name if Path(head).exists() or not (folder / head).exists() else str(folder / name)


def parse_spec(raw: dict[str, Any], where: str = "spec") -> ReportSpec:
    """Check a spec given as a dict. Raises InputError naming the first bad key.

    >>> parse_spec({"quadratics": {"stepss": 10}})
    Traceback (most recent call last):
    optlab.errors.InputError: spec: unknown key 'stepss' in [quadratics]; did you mean 'steps'?
    """
    return validated(ReportSpec, raw, where, _TABLES)


def validated(kind: type[S], raw: dict[str, Any], where: str, tables: dict[str, type[Strict]]) -> S:
    """A spec of this kind from a dict; ``tables`` are the kinds of its tables. Raises InputError naming the first bad key."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        found = error.errors()
        first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])  # a misspelt key is not a missing one
        if not first["loc"]:  # the whole does not hold together
            raise InputError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
        *parents, key = [str(part) for part in first["loc"]]
        table = f" in [{'.'.join(parents)}]" if parents else ""
        if first["type"] == "extra_forbidden":
            model: Any = kind
            for parent in parents:
                if not parent.isdigit():  # the number of a [[problem]] names no table of its own
                    model = tables[parent]
            near = get_close_matches(key, model.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(model.model_fields)}"
            raise InputError(f"{where}: unknown key {key!r}{table}; {hint}") from None
        if first["type"] == "missing":
            raise InputError(f"{where}: key {key!r} is missing{table}: add it") from None
        raise InputError(f"{where}: {key} = {short(first['input'], 100)}{table}: {first['msg'][0].lower()}{first['msg'][1:]}") from None
