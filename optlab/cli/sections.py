"""What ``optlab --help`` says of each command, in a line of its own, by what people come for."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

SECTIONS = {
    "For your data and your code": {
        "advise": "step size, batch and schedule for a table of yours",
        "train": "train a model on images or a table",
        "verify": "check a rule, a dialect or a library's optimizer",
        "rosetta": "the same optimizer in torch, optax or keras",
    },
    "Derive and simulate": {
        "derive": "what follows from a rule's equations alone",
        "simulate": "an ensemble of runs, held against the exact theory",
        "report": "derive, simulate, verify: one page",
        "theory": "everything that is derived, on one page",
    },
    "Experiments": {
        "condition": "what a condition number costs each rule",
        "convergence": "1/sqrt(T) and 1/T beside their bounds",
        "batch": "what a larger batch buys, and up to which size",
        "ravine": "how each rule swings in a ravine",
        "saddle": "how long each rule stays at a saddle",
        "plateau": "which rules walk off a flat plateau soonest",
        "schedules": "what each schedule ends at",
        "sparse": "whether adaptive rules help with rare features",
        "normalization": "how much larger a rate each norm allows",
        "edge": "whether training stays at the edge of stability",
        "minima": "whether the minima of many seeds are equally good",
        "onecycle": "1-cycle against longer runs of other schedules",
        "attention": "whether a small transformer needs warmup",
    },
    "The article": {"claims": "its claims, tested: numbers and verdicts", "grid": "its assignment: which optimizer wins on CIFAR-10"},
    "Housekeeping": {
        "data": "get and check the images to train on",
        "runs": "finished cells: list, show, export, clean",
        "doctor": "what this machine has and what is missing",
    },
}


class Sections(TyperGroup):
    """Commands under headings; each has its line from the table above."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the headings and their commands with click's formatter, which typer brings along under one name or another."""
        for title, lines in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(lines.items()))
