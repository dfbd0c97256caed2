"""The kernels of an encoder: the text of its module, put together from records, templates and places."""

from __future__ import annotations

from functools import cache

import sympy as sp

from optlab.codegen.lanes_printer import LanesPrinter
from optlab.codegen.module import template
from optlab.codegen.printer import Printer
from optlab.nn.kernels import TEMPLATES, module_text, relu_source
from optlab.nn.norm_maps import norm_maps
from optlab.nn.transformer.model import Encoder, Layout

#: The arguments of every compiled function (see ``optlab.nn.compiling``).
SIGNATURES = {"gradients": "rIIrDri"}


def workspace(model: Encoder, batch: int) -> dict[str, int]:
    """Where activations and their gradients stand in the work array: places of a block from its begin, the others absolute; and SIZE."""
    rows = batch * model.tokens
    stream = rows * model.width
    block = {
        "X": stream, "N1": stream, "QKV": 3 * stream, "P": rows * model.tokens * model.heads, "O": stream, "SUM": stream, "N2": stream,
        "U": rows * model.hidden,
    }  # fmt: skip
    after = {
        "LOGITS": rows * model.vocabulary, "G_LOGITS": rows * model.vocabulary, "FACTS": 2 * rows, "G": stream, "G1": stream, "G2": stream,
        "G_QKV": 3 * stream, "G_U": rows * model.hidden, "G_SCORES": model.tokens**2, "XHAT": stream,
    }  # fmt: skip
    out, at = {}, 0
    for name, size in block.items():
        out[name], at = at, at + size
    out["BLOCK"], out["LAST"], at = at, stream, at * model.blocks + 2 * stream
    for name, size in after.items():
        out[name], at = at, at + size
    return out | {"SIZE": at}


def _weights(model: Encoder) -> dict[str, int]:
    """Where parameters stand: those of a block from the block's begin."""
    at = Layout(model).places
    first_weight, first_shift = at["block0.qkv.weight"], Layout(model).decayed
    last_weight = at["block1.qkv.weight"] if model.blocks > 1 else at["output.weight"]
    norms = model.width * len(Layout(model).norm_parameters)
    shifts = 2 * norms + 5 * model.width + model.hidden
    names = ("qkv", "out", "up", "down")
    return {
        "EMBEDDING": at["embedding"], "POSITIONS": at["positions"], "WEIGHTS": first_weight, "SHIFTS": first_shift,
        "BLOCK_WEIGHTS": last_weight - first_weight, "BLOCK_SHIFTS": shifts, "NORM": norms,
        "LAST_NORM": first_shift + model.blocks * shifts, "W_READ": at["output.weight"], "B_READ": at["output.bias"],
        **{f"W_{name.upper()}": at[f"block0.{name}.weight"] - first_weight for name in names},
        **{f"B_{name.upper()}": at[f"block0.{name}.bias"] - first_shift for name in names},
    }  # fmt: skip


def _functions(model: Encoder) -> list[str]:
    """Attention's softmax and the loss from their records, over lanes; the loss of a token in float64."""
    from optlab.layers import attention, softmax_cross_entropy

    lanes, scalars, ce = LanesPrinter(), Printer(), softmax_cross_entropy
    size = {attention.head: sp.Integer(model.width // model.heads)}
    dz = attention.z
    parts = [
        relu_source(lanes),
        lanes.function("term", [ce.z, ce.peak], [], [ce.TERM]),
        lanes.function("slope_of", [ce.z, ce.peak, ce.total], [], [ce.SLOPE]),
        lanes.function("score", [attention.dot], [], [attention.SCORE.xreplace(size)]),
        lanes.function("score_back", [dz], [], [dz * attention.SCORE_SLOPE.xreplace(size)]),
        lanes.function("weight", [attention.term, attention.total], [], [attention.WEIGHT]),
        lanes.function("integrand", [attention.dw, attention.w], [], [attention.INTEGRAND]),
        lanes.function("adjoint", [attention.dw, attention.w, attention.pulled], [], [attention.ADJOINT]),
        scalars.function("loss", [ce.total, ce.peak, ce.target], [], [ce.LOSS]).replace("F(", "float("),
    ]
    return [lanes.helpers(), scalars.helpers(), *parts]


@cache
def encoder_source(model: Encoder, batch: int) -> str:
    """The module of an encoder at one batch size: ``gradients``."""
    from optlab.layers.softmax_cross_entropy import TARGET_SLOPE

    constants: dict[str, object] = {
        "S": batch, "T": model.tokens, "D": model.width, "HEADS": model.heads, "E": model.width // model.heads, "HIDDEN": model.hidden,
        "VOCABULARY": model.vocabulary, "BLOCKS": model.blocks, "PRE": model.norm_place == "pre", "TILE": 4,
        "TARGET_SLOPE": float(TARGET_SLOPE),
    }  # fmt: skip
    norm = "no_norm" if model.norm == "none" else "token_norms"
    own = [] if model.norm == "none" else [norm_maps(model.norm).source("norm")]
    parts = [*_functions(model), *own, *(template(TEMPLATES / f"{name}.py") for name in ("transformer", norm, "encoder"))]
    return module_text("a transformer encoder", model.dtype, constants | _weights(model) | workspace(model, batch), parts)
