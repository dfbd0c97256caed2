"""The lines of a CUDA kernel that go over a table's rows, in the order of sums of the CPU's kernel."""

from __future__ import annotations

from optlab.ensemble.layout import order_of_sums, padded, squared_error_weight, width_of
from optlab.objectives import Problem, Rows

#: What a thread holds beside its arrays; where rows are drawn without replacement, all of them in their order.
BEGIN = (
    "vectors = d // LANES",
    "n = targets.shape[0]",
    "word = np.int64(0)",
    "drawn = no_rows(start)",
    "if mode >= SUBSET:",
    "    for k in range(n):",
    "        order[k * stride + lane] = k",
)

_PARTS = ("parts = no_parts(start)", "for v in range(vectors):")
_FIT = (
    *_PARTS,
    "    parts = add_parts(parts, matrix, row * ROW + v * LANES, {at}, v * LANES * lanes, lanes)",
    "fit = fit_of(parts, matrix, row * ROW + vectors * LANES, {at}, vectors * LANES * lanes, lanes)",
)
_APART = (
    *_PARTS,
    "    parts = add_apart(parts, turn, row * ROW + v * LANES, state, curvature, v * LANES, lanes)",
    "total_ = add_square(total_, parts, turn, row * ROW + vectors * LANES, state, curvature, vectors * LANES, lanes)",
)


def order_bytes(problem: Problem) -> int:
    """What each trajectory keeps of the order in which rows are drawn, where each is drawn once."""
    return 4 * problem.n if isinstance(problem, Rows) and problem.sampling != "replacement" else 0


def constants(problem: Rows, dtype: str) -> dict[str, int]:
    """What the template of rows is written in."""
    lanes, row = width_of(problem, dtype), padded(problem, dtype)
    order = order_of_sums(row // lanes)
    cut = row - order["REST"] * lanes if order["REST"] else problem.dim
    return {"LANES": lanes, "ROW": row, "CUT": cut, **order}


def gradient_numbers(problem: Rows, dtype: str) -> int:
    """The sums that a thread adds up to a gradient: one for a coordinate before ``CUT``, ``STRANDS`` for one behind it."""
    given = constants(problem, dtype)
    return problem.dim + (given["STRANDS"] - 1) * (problem.dim - given["CUT"])


def losses(problem: Rows) -> list[str]:
    """Lines that put the loss over the whole table into ``now``; of least squares by the table's triangular factor."""
    if squared_error_weight(problem) is None:
        each, rows, last = [*_at(_FIT, "state"), "total_ = add_row_loss(total_, fit, targets, row)"], "n", "put_mean(now, total_, n)"
    else:
        each, rows, last = list(_APART), "turn.shape[0] // ROW", "put_above(now, curvature, total_)"
    return ["total_ = no_loss(now)", f"for row in range({rows}):", *(f"    {line}" for line in each), last]


def gradient(problem: Rows, dtype: str, at: str) -> list[str]:
    """Lines that draw this step's rows and put their mean gradient at ``at`` into ``gradient``."""
    strands = constants(problem, dtype)["STRANDS"]
    lines = [
        "size, begin = n if mode == FULL else batch, 0",
        "if mode == RESHUFFLE:",
        "    begin = step % ((n + batch - 1) // batch) * batch",
        "    size = min(batch, n - begin)",
        "word, drawn = shuffled(order, lane, stride, trajectory, begin, size, n, mode, word, drawn, key0, key1)",
        "cut = d - (DIM - CUT)",  # as CUT, but not known where d is not
        "for i in range(d + (STRANDS - 1) * (d - cut)):",
        "    fill(gradient, i * lanes, F(0.0))",
        "for k in range(0, size, STRANDS):",
    ]
    for strand in range(strands):  # written out: in registers the sums of each strand have places that are known
        one = _one_row(at, strand)
        lines += [f"    if k + {strand} < size:", *(f"        {line}" for line in one)] if strand else [f"    {line}" for line in one]
    return [
        *lines,
        "for i in range(cut):", "    mean_of_one(gradient, i, lanes, size)",
        "for i in range(cut, d):", "    mean_of_strands(gradient, i, lanes, size)",
    ]  # fmt: skip


def _one_row(at: str, strand: int) -> list[str]:
    """Lines that draw row ``k + strand`` of a mini-batch and add its slope times itself to the sums of its strand."""
    behind = f"{strand} * (d - cut) + " if strand else ""
    return [
        f"row = k + {strand}",
        "if mode == REPLACEMENT:",
        "    if word & 3 == 0:",
        "        drawn = rows_of(trajectory, word >> 2, n, key0, key1)",
        "    row = taken(drawn, word & 3)",
        "    word += 1",
        "elif mode != FULL:",
        f"    row = np.int64(order[(begin + k + {strand}) * stride + lane])",
        *_at(_FIT, at),
        "slope = slope_of(fit, targets, row)",
        "for v in range(cut // LANES):",
        "    add_row(gradient, slope, matrix, row * ROW + v * LANES, v * LANES * lanes, lanes)",
        "for v in range(cut // LANES, vectors):",
        f"    add_row(gradient, slope, matrix, row * ROW + v * LANES, ({behind}v * LANES) * lanes, lanes)",
        f"add_beyond(gradient, slope, matrix, row * ROW + vectors * LANES, ({behind}vectors * LANES) * lanes, lanes)",
    ]


def _at(lines: tuple[str, ...], at: str) -> list[str]:
    return [line.replace("{at}", at) for line in lines]
