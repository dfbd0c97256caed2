"""What the kernels compute of a norm: texts generated from its record and its derived backward pass.

``normalized`` and dx are linear in the element x and in dy, so each pass over the elements of a group is a multiply-add or two whose
coefficients are computed once a group: in float64 for each channel where a group is a channel of the whole batch (``"channels"``), in
working precision for each row where it is the channels of one pixel (``"rows"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp

from optlab import norms
from optlab.analysis.normalization import backward, dy
from optlab.codegen.lanes_printer import LanesPrinter
from optlab.codegen.printer import Printer
from optlab.errors import InputError, UnsupportedError
from optlab.norms.record import n, running, sigma, x, xhat
from optlab.symbols import symbol

pivot = symbol("pivot")  #: what is taken off x before its powers are summed, so that a large mean costs no digits
count = symbol("count")  #: the number of summed elements
KINDS = {"batch": "batch_norm", "layer": "layer_norm", "rms": "rms_norm"}  #: the names that models use


@dataclass(frozen=True)
class NormMaps:
    """One norm as kernels see it.

    ``groups`` is ``"channels"`` or ``"rows"``. ``lanes`` and ``scalars`` are texts of functions, over vectors and over float64 numbers;
    ``scalar_lanes`` is what ``scalars`` is, written over lanes, for a device's threads.
    """

    groups: str
    parameters: tuple[str, ...]  #: the learned parameters, in the order of the flat buffers
    starts: tuple[int, ...]  #: what each starts from
    running: tuple[str, ...]  #: the reductions that have running values
    sums: int  #: forward: sums of each channel (channels only)
    back_sums: int  #: backward: sums of each channel
    lanes: str
    scalars: str = ""
    scalar_lanes: str = ""

    def source(self, prefix: str) -> str:
        """The functions over lanes, their names behind ``prefix_``."""
        return self.lanes.replace("NORM_", f"{prefix}_")


@cache
def norm_maps(kind: str) -> NormMaps:
    """The maps of ``"batch"``, ``"layer"``, ``"rms"``, or of ``"none"``: a learned shift and nothing else."""
    if kind == "none":
        return _shift()
    if kind not in KINDS:
        raise InputError(f"norm {kind!r} is none of {', '.join(KINDS)}, none")
    norm = norms.get(KINDS[kind])
    back = backward(norm)
    named = {key: sp.Symbol(f"NORM_{key}", positive=True) for key in norm.defaults}
    settings = "".join(f"{named[key]} = {float(value)!r}\n" for key, value in norm.defaults.items())
    return (_rows if norm.reduced == "features" else _channels)(norm, back, named, settings)


def _shift() -> NormMaps:
    lanes = """def NORM_integrands(dy, xhat):
    return (dy,)


NORM_SUMS, NORM_BACK_SUMS, NORM_GROUPS = 0, 1, "channels"
"""
    scalars = """@njit
def NORM_finish(beta):
    return 1.0, beta, 0.0, 0.0


@njit
def NORM_given(beta):
    return 1.0, beta, 0.0, 0.0


@njit
def NORM_backward(sum_0, n, beta):
    return 1.0, 0.0, 0.0, sum_0
"""
    return NormMaps("channels", ("beta",), (0,), (), 0, 1, lanes, scalars, scalars.replace("@njit\n", ""))


def _linear(expression: sp.Expr, *symbols: sp.Symbol) -> list[sp.Expr]:
    """The coefficient of each symbol, then the rest. Raises UnsupportedError if it is not linear."""
    expanded = sp.expand(expression)
    parts = [expanded.coeff(s, 1) for s in symbols]
    rest = sp.expand(expanded - sum(p * s for p, s in zip(parts, symbols, strict=True)))
    if any(part.has(*symbols) for part in [*parts, rest]):
        raise UnsupportedError(f"{expression} is not linear in {', '.join(map(str, symbols))}: no kernel")
    return [sp.factor(part) for part in [*parts, rest]]


def _channels(norm: Any, back: Any, named: dict[sp.Symbol, sp.Expr], settings: str) -> NormMaps:
    """A group is a channel of the whole batch: power sums of x forward, sums of the integrands backward; the rest in scalars."""
    lanes = LanesPrinter()
    parameters, reductions = list(norm.parameters), [left for left, _ in norm.reductions]
    powers = sorted({power for _, h in norm.reductions for (power,) in sp.Poly(sp.expand(h), x).monoms() if power})
    moments = {power: symbol(f"moment_{power}") for power in powers}
    found = [(left, _powers_to_moments(h, moments)) for left, h in norm.reductions]
    forward = [*_linear(norm.output.xreplace({xhat: norm.normalized}), x), *_linear(norm.normalized, x)]
    scale = (sigma, norm.scale.xreplace(named))
    integrands = list(dict.fromkeys([h for _, h in back.reductions] + [h for h, _ in back.parameter_gradients.values()]))
    sums = [symbol(f"sum_{k}") for k in range(len(integrands))]
    means = {left: sums[integrands.index(h)] / n for left, h in back.reductions}
    slope = back.input_gradient.xreplace({xhat: norm.normalized}).xreplace(means)
    gradients = [sums[integrands.index(back.parameter_gradients[p][0])] for p in parameters]
    olds = [symbol(f"old_{left}") for left in norm.running]
    new = [rule.xreplace(named | {running: old}) for rule, old in zip(norm.running.values(), olds, strict=True)]
    over_lanes = [
        lanes.function("NORM_moments", [x], [], [x**power for power in powers], "what each channel's sums are made of"),
        lanes.function("NORM_integrands", [dy, xhat], [], integrands, "what each channel's sums of the backward pass are made of"),
    ]
    shifted = {power: symbol(f"shifted_{power}") for power in powers}
    whole = [_powers_to_moments((x + pivot) ** power, shifted | {0: count}) for power in powers]
    over_lanes.append(lanes.function("NORM_unshifted", [*shifted.values(), pivot, count], [], whole, "sums of powers of x, from x - pivot"))

    def scalars(printer: Printer) -> str:
        parts = [
            printer.function(
                "NORM_finish", [*moments.values(), *parameters], [*found, scale], [*reductions, *forward], "slope, shift of y, xhat"
            ),
            printer.function("NORM_given", [*reductions, *parameters], [scale], forward, "the same of given reductions"),
            printer.function(
                "NORM_backward",
                [*reductions, *sums, n, *parameters],
                [scale],
                [*_linear(slope, dy, x), *gradients],
                "of dy, of x, the rest",
            ),
        ]
        if new:
            parts.append(printer.function("NORM_running", [*olds, *reductions, n], [], new, "the running values after a batch"))
        return "\n\n".join([settings, printer.helpers(), *parts])

    sizes = f'NORM_SUMS, NORM_BACK_SUMS, NORM_GROUPS = {len(powers)}, {len(integrands)}, "channels"\n'
    return NormMaps(
        "channels", tuple(map(str, parameters)), tuple(int(norm.parameters[p]) for p in parameters), tuple(map(str, norm.running)),
        len(powers), len(integrands),
        "\n\n".join([lanes.helpers(), *map(_as_tuple, over_lanes), sizes]), scalars(Printer()), scalars(LanesPrinter()),
    )  # fmt: skip


def _powers_to_moments(integrand: sp.Expr, moments: dict[int, sp.Symbol]) -> sp.Expr:
    """The mean of a polynomial in x, from the means of its powers."""
    return sum((c * moments.get(power, sp.Integer(1)) for (power,), c in sp.Poly(sp.expand(integrand), x).terms()), sp.Integer(0))


def _rows(norm: Any, back: Any, named: dict[sp.Symbol, sp.Expr], settings: str) -> NormMaps:
    """A group is the channels of one pixel: ordered means and maps, all over lanes."""
    lanes = LanesPrinter()
    parameters, reductions = list(norm.parameters), [left for left, _ in norm.reductions]
    parts = [lanes.function(f"NORM_integrand_{k}", [x, *reductions[:k]], [], [h]) for k, (_, h) in enumerate(norm.reductions)]
    scale = (sigma, norm.scale.xreplace(named))
    parts.append(lanes.function("NORM_row", reductions, [scale], _linear(norm.normalized, x), "xhat is the first times x, plus the second"))
    parts.append(lanes.function("NORM_output", [xhat, *parameters], [], [norm.output]))
    names = [left for left, _ in back.reductions]
    element = [dy, xhat, *parameters]
    parts.append(lanes.function("NORM_means", element, [], [h for _, h in back.reductions], "what is averaged over a row"))
    integrands = [h for h, _ in back.parameter_gradients.values()]
    parts.append(lanes.function("NORM_integrands", element, [], integrands, "what is summed over rows, by parameter"))
    whole = sp.Poly(sp.expand(back.input_gradient), *element)
    monomials = [sp.Mul(*(s**power for s, power in zip(element, powers, strict=True))) for powers in whole.monoms()]
    factors = [symbol(f"factor_{k}") for k in range(len(monomials))]
    rows = [sp.factor(c) for c in whole.coeffs()]
    parts.append(lanes.function("NORM_slopes", [*reductions, *names], [scale], rows, "coefficients of dx, for one row"))
    total = sum((f * m for f, m in zip(factors, monomials, strict=True)), sp.Integer(0))
    parts.append(lanes.function("NORM_dx", [*element, *factors], [], [total]))
    order = f'NORM_SUMS, NORM_BACK_SUMS, NORM_GROUPS = 0, {len(integrands)}, "rows"\n'
    tuples = [
        f"NORM_INTEGRANDS = ({', '.join(f'NORM_integrand_{k}' for k in range(len(reductions)))},)\n",
        f"NORM_PARAMETERS, NORM_MEANS = {len(parameters)}, {len(names)}\n",
    ]
    text = "\n\n".join([settings, lanes.helpers(), *(_as_tuple(part) for part in parts), order, *tuples])
    return NormMaps("rows", tuple(map(str, parameters)), tuple(int(norm.parameters[p]) for p in parameters), (), 0, len(integrands), text)


def _as_tuple(text: str) -> str:
    """Functions of several results give a tuple even of one."""
    head = text.split("(", 1)[0].removeprefix("def NORM_")
    if head not in ("means", "integrands", "slopes", "moments", "unshifted"):
        return text
    body, result = text.rstrip("\n").rsplit("return ", 1)
    return f"{body}return ({result},)\n"
