"""Calling functions over lanes from Numba code: they are run once, at compile time, and leave LLVM's vector instructions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature as python_signature
from typing import Any

from llvmlite import ir
from numba.core import types as numba_types
from numba.core.extending import intrinsic
from numba.core.typing.templates import signature

from optlab.codegen.lanes import Lanes, Vector, VectorArray, llvm_type

types: Any = numba_types  # Numba makes many of its names at run time


def _enter(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """An argument of a traced function as its body sees it."""
    if isinstance(kind, types.Array):
        if kind.ndim != 1 or kind.layout != "C":
            raise TypeError(f"a traced function takes contiguous one-dimensional arrays, not {kind}")
        return VectorArray(builder, context.make_array(kind)(context, builder, value).data, kind.dtype)
    if isinstance(kind, Lanes):
        return Vector(builder, value, kind.dtype, kind.width)
    if isinstance(kind, types.BaseTuple):
        parts = [builder.extract_value(value, k) for k in range(len(kind))]
        return tuple(_enter(context, builder, item, part) for item, part in zip(kind, parts, strict=True))
    if kind == types.boolean:
        return Vector(builder, builder.trunc(value, ir.IntType(1)) if value.type.width > 1 else value, kind, 1)
    if isinstance(kind, types.Integer) and kind.bitwidth < 64:
        value, kind = (
            context.cast(builder, value, kind, types.int64 if kind.signed else types.uint64),
            types.int64 if kind.signed else types.uint64,
        )
    return Vector(builder, value, kind, 1)


def _leave(value: Any) -> Any:
    """Numba's type of a traced function's result."""
    if value is None:
        return types.void
    if isinstance(value, tuple):
        return (
            types.Tuple([_leave(item) for item in value])
            if len({str(_leave(v)) for v in value}) > 1
            else types.UniTuple(_leave(value[0]), len(value))
        )
    return Lanes(value.kind, value.width) if value.width > 1 else value.kind


def _plain(kind: Any) -> Any:
    if isinstance(kind, types.Literal):
        return kind.literal_type
    return kind


def traced(function: Callable[..., Any]) -> Any:
    """Make a plain Python function over lanes callable from Numba code; see the module's text.

    Integers arrive as 64-bit; arrays must be one-dimensional and contiguous; the result is a number, lanes, a tuple of
    them, or nothing. Other traced functions are called as ``other.body`` would be: as plain Python.
    """
    made = intrinsic(definition(function))
    made.body = function
    return made


def definition(function: Callable[..., Any], builder_of: Callable[[Any], Any] = lambda builder: builder) -> Any:
    """What Numba's ``intrinsic`` takes for a function over lanes; ``builder_of`` wraps the builder that its body writes with."""
    names = ", ".join(python_signature(function).parameters)
    results: dict[tuple[Any, ...], Any] = {}  # Numba asks more than once

    def typing(typingctx: Any, *args: Any) -> Any:
        kinds = [_plain(kind) for kind in args]
        if tuple(kinds) not in results:
            results[tuple(kinds)] = _result(function, kinds)
        result = results[tuple(kinds)]

        def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            writer = builder_of(builder)
            entered = [_enter(context, writer, kind, value) for kind, value in zip(sig.args, values, strict=True)]
            out = function(*entered)
            if out is None:
                return context.get_dummy_value()
            if isinstance(out, tuple):
                return context.make_tuple(builder, sig.return_type, [item.value for item in out])
            return out.value

        return signature(result, *kinds), codegen

    space: dict[str, Any] = {"typing": typing}
    exec(f"def {function.__name__}(typingctx, {names}):\n    return typing(typingctx, {names})", space)
    return space[function.__name__]


def _result(function: Callable[..., Any], kinds: Sequence[Any]) -> Any:
    """Run the function on stand-ins, in a function that is thrown away, to learn the type of what it returns."""
    module = ir.Module()
    scratch = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "scratch")
    builder = ir.IRBuilder(scratch.append_basic_block())
    return _leave(function(*(_stand_in(builder, kind) for kind in kinds)))


def _stand_in(builder: Any, kind: Any) -> Any:
    if isinstance(kind, types.BaseTuple):
        return tuple(_stand_in(builder, item) for item in kind)
    if isinstance(kind, types.Array):
        return VectorArray(builder, ir.Constant(llvm_type(kind.dtype).as_pointer(), None), kind.dtype)
    if isinstance(kind, Lanes):
        vector = ir.VectorType(llvm_type(kind.dtype), kind.width)
        return Vector(builder, ir.Constant(vector, ir.Undefined), kind.dtype, kind.width)
    if isinstance(kind, types.Integer) and kind.bitwidth < 64:
        kind = types.int64 if kind.signed else types.uint64
    return Vector(builder, ir.Constant(llvm_type(kind), ir.Undefined), kind, 1)
