"""Names with options as text, such as ``momentum(beta=0.9)``: how definitions are named in specs, labels and on the command line."""

from __future__ import annotations

import ast
import warnings
from typing import Any

from optlab.errors import InputError, short


def parsed(text: str) -> ast.expr:
    """The tree of an expression in Python's grammar; nothing is evaluated, and Python's remarks on its style are not printed.

    Raises SyntaxError, ValueError, RecursionError or MemoryError where there is none, or one too deep.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def parse_call(text: str) -> tuple[str, dict[str, Any], list[Any]]:
    """Split ``"momentum(beta=0.9)"`` into its name, keyword options and positional values; values are Python literals.

    Raises InputError if the text is not a name with literal options. Nothing is evaluated.

    >>> parse_call("quadratic(condition_number=100, spectrum='uniform')")
    ('quadratic', {'condition_number': 100, 'spectrum': 'uniform'}, [])
    """
    head, paren, rest = text.strip().partition("(")
    if not paren:
        return head, {}, []
    try:
        call = parsed(f"f({rest}")
        if not isinstance(call, ast.Call):
            raise ValueError("not a call")
        return head.strip(), _options(call), [_literal(item) for item in call.args]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        deep = isinstance(error, (RecursionError, MemoryError))
        reason = "it is nested too deeply" if deep else str(error).splitlines()[0]
        raise InputError(f"cannot read {short(text, 200)} ({reason}): write it as name(option=value, ...) with plain values") from None


def _options(call: ast.Call) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for item in call.keywords:
        if item.arg is None:
            raise ValueError("** has no meaning here")
        if item.arg in options:
            raise ValueError(f"{item.arg} is given twice")
        options[item.arg] = _literal(item.value)
    return options


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):  # spectrum=uniform is as good as spectrum='uniform'
        return node.id
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):  # beta=9/10 stays exact
        return f"{_literal(node.left)}/{_literal(node.right)}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.keywords and not node.args:
        inner = ", ".join(f"{key}={value}" for key, value in _options(node).items())
        return f"{node.func.id}({inner})"  # noise_law=student_t(dof=5) is as good as noise_law='student_t(dof=5)'
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{short(ast.unparse(node))[1:-1]} is no plain value") from None
