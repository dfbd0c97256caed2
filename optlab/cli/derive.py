"""``optlab derive``: what follows from a rule's definition."""

from __future__ import annotations

from typing import Annotated

import typer

from optlab.cli.output import print_json, print_table


def derive(
    rule: Annotated[str, typer.Argument(help="A rule: its name, 'name(option=value)', or path/to/file.py:NAME.")],
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    source: Annotated[bool, typer.Option("--source", help="Print the Python that is generated and compiled.")] = False,
    dtype: Annotated[str, typer.Option(help="With --source: float64 or float32.")] = "float64",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Equations, transition matrix, stability, spectral radius and noise floor of a rule.

    Example: optlab derive "momentum(beta=9/10)"
    """
    from optlab import analyze, rules
    from optlab.analysis import is_linear
    from optlab.errors import InputError
    from optlab.expressions import text

    chosen = rules.get(rule)
    if sum((latex, source, json)) > 1:
        raise InputError("--latex, --source and --json exclude each other: give one")
    if source:
        from optlab.codegen.rules import module_source

        if dtype not in ("float64", "float32"):
            raise InputError(f"--dtype {dtype} is unknown: use float64 or float32")
        print(module_source(chosen, dtype))
        return 0
    derived = analyze(chosen).items() if is_linear(chosen) else {}
    if latex:
        from optlab.expressions import latex as to_latex

        print(chosen.latex())
        for name, value in derived.items():
            print(f"\n% {name.replace('_', ' ')}\n{to_latex(value)}")
        return 0
    if json:
        print_json({
            "rule": chosen.label(), "summary": chosen.summary, "reference": chosen.reference, "linear": bool(derived),
            "equations": [{"symbol": str(left), "expression": str(right)} for left, right in chosen.equations],
            "gradient_at": str(chosen.gradient_at), "state": {str(key): str(value) for key, value in chosen.initial.items()},
            "parameters": {str(key): str(chosen.bound.get(key, record.default)) for key, record in chosen.parameters.items()},
            "variants": {key: {"chosen": chosen.chosen[key], "options": list(options)} for key, options in chosen.variants.items()},
            **{name: str(value) for name, value in derived.items()},
        })  # fmt: skip
        return 0
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
    print()
    if derived:
        rows2 = [(name.replace("_", " "), text(value)) for name, value in derived.items()]
        print_table("on f = lam/2 theta^2, gradient noise of variance s2", ("", ""), rows2, words=(0, 1))
    else:
        print("The update is not linear in state and gradient, so it has no transition matrix: simulate it (optlab simulate).")
    return 0
