"""Loops in code over lanes: a body traced once, its carried vectors kept in registers from turn to turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir

from optlab.codegen.lanes import Vector, VectorArray, types

_WORD = ir.IntType(64)


binding.initialize_native_asmparser()


def _hidden(builder: Any, count: int) -> Any:
    """The number, out of LLVM's sight, which copies a loop's body as often as it is known to turn."""
    return builder.asm(ir.FunctionType(_WORD, [_WORD]), "", "=r,0", [ir.Constant(_WORD, count)], False)


def repeat(like: Any, count: int, body: Callable[..., Any], carried: tuple[Any, ...] = (), *, long: bool = False) -> tuple[Any, ...]:
    """Run ``carried = body(i, *carried)`` for i = 0 .. count - 1 and return the last ``carried``.

    Parameters
    ----------
    like
        Anything in the code that is being written (an array or a vector); a number or a NumPy array when computing in plain Python.
    count
        How often, at least once; known while the code is written.
    body
        Takes the turn's number and the carried values, returns as many new ones of the same types (or None, if it carries nothing).

    long
        Whether the body is so long that machine code should hold it once, however often it turns.

    >>> repeat(0.0, 4, lambda i, total: (total + i,), (10,))
    (16,)
    """
    if not isinstance(like, (Vector, VectorArray)):
        for i in range(count):
            carried = body(i, *carried) or ()
        return carried
    builder = like.builder
    if count == 1:
        return body(Vector(builder, ir.Constant(_WORD, 0), types.int64, 1), *carried) or ()
    before, turn = builder.block, builder.append_basic_block("turn")
    builder.branch(turn)
    builder.position_at_end(turn)
    index = builder.phi(_WORD)
    index.add_incoming(ir.Constant(_WORD, 0), before)
    slots = []
    for item in carried:
        slot = builder.phi(item.value.type)
        slot.add_incoming(item.value, before)
        slots.append(slot)
    given = [item._new(slot) for item, slot in zip(carried, slots, strict=True)]
    new = body(Vector(builder, index, types.int64, 1), *given) or ()
    following = builder.add(index, ir.Constant(_WORD, 1), flags=("nsw", "nuw"))
    index.add_incoming(following, builder.block)
    for slot, item in zip(slots, new, strict=True):
        slot.add_incoming(item.value, builder.block)
    done = builder.append_basic_block("done")
    end = _hidden(builder, count) if long else ir.Constant(_WORD, count)
    builder.cbranch(builder.icmp_unsigned("<", following, end), turn, done)
    builder.position_at_end(done)
    return tuple(new)
