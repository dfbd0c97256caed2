"""``optlab verify --against``: every dialect against the library itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optlab.cli.output import print_json, print_table, progress_bar

if TYPE_CHECKING:
    from optlab.verify.conformance import Conformance


def hold(against: str, names: list[str] | None, seed: int, complete: bool, json: bool) -> int:
    """Run the comparison and print it. Exit code 1 if something deviates, or is not compared and ``complete`` asks for it."""
    from optlab.errors import InputError
    from optlab.verify.conformance import conformance, versions

    libraries = tuple(dict.fromkeys(part.strip() for part in against.split(",") if part.strip()))
    if not libraries:
        raise InputError("--against names no library: write it as --against torch,optax,keras")
    with progress_bar("against") as progress:
        results = conformance(libraries, names=names or None, rng=seed, progress=progress)
    failed = sum(result.passed is False for result in results)
    missing = sum(result.passed is None for result in results)
    present = versions(libraries)
    if json:
        print_json({
            "versions": present, "compared": [vars(result) for result in results], "failed": failed, "not_compared": missing,
        })  # fmt: skip
    else:
        _print(results)
        shown = ", ".join(f"{name} {number or 'is not installed'}" for name, number in present.items())
        print(f"\n{len(results)} dialects: {len(results) - failed - missing} agree, {failed} deviate, {missing} not compared ({shown})")
    return 1 if failed or (complete and missing) else 0


def _print(results: list[Conformance]) -> None:
    words: dict[bool | None, str] = {True: "ok", False: "DEVIATES", None: "not compared"}
    rows: list[tuple[Any, ...]] = [
        (r.name, r.call, r.dtype, words[r.passed], "" if r.deviation is None else f"{r.deviation:.1e}", f"{r.limit:.0e}", r.worst)
        for r in results
    ]
    print_table("", ("definition", "library", "type", "", "deviation", "limit", "largest at"), rows, words=(0, 1, 2, 3, 6))
