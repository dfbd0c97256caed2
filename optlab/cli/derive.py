"""``optlab derive``: what follows from a definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.cli.options import definition_names
from optlab.cli.output import print_json, print_table, progress_bar

if TYPE_CHECKING:
    from optlab.expressions import Rule
    from optlab.reporting.derivation import Part


def derive(
    rule: Annotated[
        str | None,
        typer.Argument(
            help="A rule: its name, 'name(option=value)', or path/to/file.py:NAME. Or a schedule, or a normalization (layer_norm).",
            autocompletion=definition_names,
        ),
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    mathml: Annotated[bool, typer.Option("--mathml", help="Print MathML, a formula a line.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the Python that is generated and compiled.")] = False,
    torch: Annotated[bool, typer.Option("--torch", help="Print the rule as a torch optimizer that stands alone.")] = False,
    optax: Annotated[bool, typer.Option("--optax", help="Print the rule (or schedule) as an optax one that stands alone.")] = False,
    dtype: Annotated[str, typer.Option(help="With --source: float64 or float32.")] = "float64",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document; formulas read back with optlab.sympify.")] = False,
    bounds: Annotated[bool, typer.Option("--bounds", help="The convergence bounds: all of them, or those that speak of RULE.")] = False,
    slack: Annotated[bool, typer.Option("--slack", help="With --bounds: measure how much each gives away (seconds each).")] = False,
    mu: Annotated[str | None, typer.Option(help="Smallest curvature: the best tuning as exact numbers (with --L).")] = None,
    largest: Annotated[str | None, typer.Option("--L", help="Largest curvature.")] = None,
    condition_number: Annotated[str | None, typer.Option(help="The same by condition number, with mu = 1.")] = None,
    curvature: Annotated[str | None, typer.Option(help="A number in the place of lam.")] = None,
) -> int:
    """Derive what a rule does, from its equations alone.

    For a linear rule: transition matrix, stability, spectral radius, noise floor and the best tuning with its certificate;
    for an adaptive one: first step, frozen-scale stability, cycles and more, each with how it is known. Or --bounds.

    Example: optlab derive "momentum(beta=9/10)"
    """
    from optlab.errors import InputError

    if sum((latex, mathml, source, torch, optax, json)) > 1:
        raise InputError("--latex, --mathml, --source, --torch, --optax and --json exclude each other: give one")
    about_rules = (mu, largest, condition_number, curvature)
    if dtype != "float64" and not source:
        raise InputError("--dtype is of the generated source: give --source with it")
    if curvature is not None and any(value is not None for value in about_rules[:3]):
        raise InputError("--curvature fixes one curvature, --mu, --L and --condition-number a range of them: give one or the other")
    if bounds:
        if source or torch or optax or any(value is not None for value in about_rules):
            raise InputError(
                "--bounds prints formulas: --source, --torch, --optax, --mu, --L, --condition-number and --curvature mean nothing with it"
            )
        return _bounds(rule, latex, mathml, json, slack)
    if (torch or optax) and any(value is not None for value in about_rules):
        raise InputError(
            "--torch and --optax print code for any objective: --mu, --L, --condition-number and --curvature mean nothing with it"
        )
    if slack:
        raise InputError("--slack measures bounds: give --bounds with it")
    if rule is None:
        raise InputError("no rule to derive: name one (optlab derive adam), or ask for the bounds (optlab derive --bounds)")
    from optlab import norms, rules, schedules
    from optlab.analysis import is_linear
    from optlab.calls import parse_call
    from optlab.reporting import derivation

    name = parse_call(rule)[0]
    if name in (*norms.names(), *schedules.names()) and (source or mu or largest or condition_number or curvature):
        raise InputError(f"{name} is no rule: --source, --mu, --L, --condition-number and --curvature are for rules")
    if torch or optax:
        return _export(rule, name, "torch" if torch else "optax")
    if name in norms.names():
        if name != rule.strip():
            raise InputError(f"{rule}: a normalization takes no options here; write {name}")
        norm = norms.get(name)
        return _other(
            {"norm": name, "summary": norm.summary, "reference": norm.reference}, derivation.norm_parts(norm), latex, mathml, json
        )
    if name in schedules.names():
        schedule = schedules.get(rule)
        about = {"schedule": schedule.label(), "summary": schedule.summary, "reference": schedule.reference}
        return _other(about, derivation.schedule_parts(schedule), latex, mathml, json)
    chosen = rules.get(rule)
    if source:
        from optlab.codegen.rules import module_source

        if dtype not in ("float64", "float32"):
            raise InputError(f"--dtype {dtype} is unknown: use float64 or float32")
        print(module_source(chosen, dtype))
        return 0
    if any(value is not None for value in about_rules) and not is_linear(chosen):
        raise InputError(f"{chosen.label()} is not linear: --mu, --L, --condition-number and --curvature are for linear rules")
    spectrum = {"mu": mu, "L": largest, "condition_number": condition_number}
    parts = derivation.rule_parts(chosen, curvature=curvature, **{key: value for key, value in spectrum.items() if value is not None})
    if json:
        print_json(_rule_document(chosen) | _document(parts))
        return 0
    if latex or mathml:
        from optlab.reporting.mathml import equations

        print(chosen.latex() if latex else equations(chosen))
        _print_formulas(parts, latex)
        return 0
    _print_rule(chosen)
    _print_parts(parts)
    return 0


def _export(rule: str, name: str, library: str) -> int:
    """The source for a library: what ``rule.to_torch()`` and the like load."""
    from optlab import norms, rules, schedules
    from optlab.errors import InputError
    from optlab.export.optax import optax_source
    from optlab.export.schedules import schedule_source
    from optlab.export.torch import torch_source

    if name in norms.names():
        raise InputError(
            f"{name} is a normalization: --torch and --optax print rules and schedules (optlab rosetta {name} names the libraries' own)"
        )
    if name in schedules.names():
        print(schedule_source(schedules.get(rule), library))
    else:
        print({"torch": torch_source, "optax": optax_source}[library](rules.get(rule)), end="")
    return 0


def _bounds(rule: str | None, latex: bool, mathml: bool, json: bool, slack: bool) -> int:
    from optlab.reporting import derivation

    found = derivation.bounds_of(rule)
    parts = [derivation.bound_part(bound) for bound in found]
    measured: dict[str, Any] = {}
    if slack:
        from optlab.verify.slack import measure_slack

        with progress_bar("measuring") as progress:
            for done, bound in enumerate(found):
                if progress:
                    progress(done, len(found), bound.name)
                if bound.explicit:
                    measured[bound.name] = measure_slack(bound)
    if json:
        documents = {bound.name: derivation.bound_document(bound) for bound in found}
        for name, item in measured.items():
            documents[name]["slack"] = vars(item)
        print_json({"bounds": documents})
    elif latex or mathml:
        _print_formulas(parts, latex)
    else:
        for part in parts:
            _print_parts([part])
            if part.name in measured:
                print(f"  slack: {str(measured[part.name]).partition(': ')[2]}")
    return 0


def _other(about: dict[str, str], parts: Sequence[Part], latex: bool, mathml: bool, json: bool) -> int:
    """A schedule or a normalization: ``about`` holds its name first, then what it is and its reference."""
    if json:
        print_json(about | _document(parts))
    elif latex or mathml:
        _print_formulas(parts, latex)
    else:
        name, summary, reference = about.values()
        print(f"{name}: {summary}\n{reference}")
        _print_parts(parts)
    return 0


def _rule_document(chosen: Rule) -> dict[str, Any]:
    from optlab.analysis import is_linear

    return {
        "rule": chosen.label(), "summary": chosen.summary, "reference": chosen.reference, "linear": is_linear(chosen),
        "equations": [{"symbol": str(left), "expression": str(right)} for left, right in chosen.equations],
        "gradient_at": str(chosen.gradient_at), "state": {str(key): str(value) for key, value in chosen.initial.items()},
        "parameters": {str(key): str(chosen.bound.get(key, record.default)) for key, record in chosen.parameters.items()},
        "variants": {key: {"chosen": chosen.chosen[key], "options": list(options)} for key, options in chosen.variants.items()},
    }  # fmt: skip


def _document(parts: Sequence[Part]) -> dict[str, Any]:
    """The parts as JSON; the quantities of the mode stand at the top, by their attribute names."""
    from optlab.reporting.derivation import plain

    out: dict[str, Any] = {}
    for part in parts:
        if part.name == "mode":
            out |= {line.name: str(line.expression) for line in part.lines} | ({"mode_notes": list(part.notes)} if part.notes else {})
        else:
            out[part.name] = plain(part)
    return out


def _print_formulas(parts: Sequence[Part], latex: bool) -> None:
    from optlab.printing import latex as to_latex
    from optlab.reporting.mathml import mathml as to_mathml

    for part in parts:
        for line in part.lines:
            head = line.label if part.name == line.name else f"{part.name.replace('_', ' ')}: {line.label}"
            if latex:
                print(f"\n% {head} ({line.status}{': ' + line.about if line.about else ''})\n{to_latex(line.expression)}")
            else:
                print(f"<!-- {head} -->\n{to_mathml(line.expression, display=True)}")


def _print_rule(chosen: Rule) -> None:
    from optlab.printing import text

    print(f"{chosen.label()}: {chosen.summary}" if chosen.summary else chosen.label())
    if chosen.reference:
        print(chosen.reference)
    equations = [(str(left), "<-", text(right)) for left, right in chosen.equations]
    if str(chosen.gradient_at) != "theta":
        equations.insert(0, ("g", "=", f"gradient at {text(chosen.gradient_at)}"))
    print()
    print_table("one step", ("", "", ""), equations, words=(0, 1, 2))
    if chosen.parameters or chosen.variants:
        rows = [(str(p), str(chosen.bound.get(p, r.default)), r.within, r.about) for p, r in chosen.parameters.items()]
        rows += [(key, chosen.chosen[key], " | ".join(options), "variant") for key, options in chosen.variants.items()]
        print()
        print_table("options", ("name", "value", "range", "meaning"), rows, words=(0, 1, 2, 3))


def _print_parts(parts: Sequence[Part]) -> None:
    from optlab.printing import text

    for part in parts:
        print()
        known = {line.name: "" if line.status == "derived" else f" ({line.status})" for line in part.lines}
        rows = [(line.label, line.about + known[line.name], text(line.expression)) for line in part.lines]
        if rows:
            print_table(part.title, ("", "", ""), rows, words=(0, 1, 2))
        else:
            print(part.title)
        for note in part.notes:
            print(f"  {note}")
