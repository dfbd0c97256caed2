"""A CUDA kernel's LLVM code, as Numba lowers it for a device, run thread by thread on the CPU.

The simulator runs the kernel's Python and knows no types; this runs what NVVM would be given: every type, conversion and array as lowered.
NVVM's functions get their meaning here, in LLVM's terms; what NVVM and ptxas make of the code afterwards is not seen.
"""

import ctypes
import re
from functools import cache
from types import SimpleNamespace

import llvmlite.binding as llvm
import numpy as np
from numba.core import types
from numba.cuda import compiler

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

_MEANINGS = """
@lane = global i32 0
define i32 @tid() alwaysinline { %1 = load i32, ptr @lane  ret i32 %1 }
define i32 @ntid() alwaysinline { ret i32 1048576 }
define i32 @ctaid() alwaysinline { ret i32 0 }
"""
_REGISTERS = {"tid.x": "tid", "ntid.x": "ntid", "ctaid.x": "ctaid"}
_BINARY = "define {t} @{name}({t} %x, {t} %y) alwaysinline {{ %1 = f{op} {t} %x, %y  ret {t} %1 }}\n"
_UNARY = "declare {t} @llvm.{f}.{s}({t})\ndefine {t} @{name}({t} %x) alwaysinline {{ %1 = call {t} @llvm.{f}.{s}({t} %x)  ret {t} %1 }}\n"


def host_code(text):
    """NVVM's LLVM code as the host's: opaque pointers, and its functions given their meaning."""
    lines = [line for line in text.splitlines() if not re.match(r"(target |!|@\"llvm\.used\")", line)]
    text = re.sub(r", !\w+ !\d+", "", "\n".join(lines))
    while re.search(r"\w\*|[\]}]\*", text):
        text = re.sub(r"(\b(i\d+|double|float|ptr)|\{[^{}]*\}|\[[^\[\]]*\])\*", "ptr", text)
    meanings = _MEANINGS
    for register, name in _REGISTERS.items():
        text = text.replace(f'@"llvm.nvvm.read.ptx.sreg.{register}"', f"@{name}")
    for op in ("add", "mul"):
        for kind, t in (("d", "double"), ("f", "float")):
            text = text.replace(f'@"llvm.nvvm.{op}.rn.{kind}"', f"@{op}_{kind}")
            meanings += _BINARY.format(t=t, op=op, name=f"{op}_{kind}")
    for f in ("fabs", "floor", "ceil"):
        for suffix, t, s in (("f", "float", "f32"), ("", "double", "f64")):
            text = re.sub(rf'^declare .*@"llvm\.{f}\.{s}".*$', "", text, flags=re.MULTILINE).replace(f'@"__nv_{f}{suffix}"', f"@{f}_{s}")
            meanings += _UNARY.format(f=f, t=t, s=s, name=f"{f}_{s}")
    known = "|".join([*_REGISTERS.values(), *(f"{op}_{k}" for op in ("add", "mul") for k in "df"), r"(fabs|floor|ceil)_f\d\d"])
    text = re.sub(rf"^declare \S+ @({known})\(.*$", "", text, flags=re.MULTILINE)
    return meanings + text


def _flat(kind, value):
    """An argument as the lowered kernel takes it: an array is seven things, of which the data and the shape are read."""
    if isinstance(kind, types.Array):
        array = np.asarray(value)
        return [0, 0, array.size, array.itemsize, array.ctypes.data, *array.shape, *array.strides]
    return [value]


class LoweredKernel:
    """Stands for a kernel of a :class:`CudaCell`: launches run every thread of the grid, one after another, on the host."""

    def __init__(self, kernel):
        self.kernel, self.built = kernel, {}

    def __getitem__(self, grid):
        self.threads = grid[0] * grid[1]
        return self._launch

    def build(self, kinds):
        library, _ = compiler._compile_pyfunc_with_fixup(self.kernel.py_func, types.void(*kinds), device=False, cc=(8, 0), abi="numba")
        text = host_code(library.get_llvm_str())
        module = llvm.parse_assembly(text)
        module.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=1
        )
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        name = next(f.name for f in module.functions if not f.is_declaration and f.name.startswith("_ZN"))
        return engine, engine.get_function_address(name), engine.get_global_value_address("lane")

    def _launch(self, *args):
        from tests.cuda.launches import type_of

        kinds = tuple(map(type_of, args))
        if kinds not in self.built:
            self.built[kinds] = self.build(kinds)
        _, address, lane = self.built[kinds]
        converters, values = [], []
        for kind, value in zip(kinds, args, strict=True):
            if isinstance(kind, types.Float):
                converters.append(ctypes.c_double if kind.bitwidth == 64 else ctypes.c_float)
                values.append(float(value))
                continue
            for number in _flat(kind, value):
                small = isinstance(kind, types.Integer) and kind.bitwidth == 32
                converters.append(ctypes.c_uint32 if small else ctypes.c_uint64)
                values.append(int(number))
        run, thread = ctypes.CFUNCTYPE(None, *converters)(address), ctypes.c_int32.from_address(lane)
        for number in range(self.threads):
            thread.value = number
            run(*values)


lowered_kernel = cache(LoweredKernel)  #: each kernel is built once


@cache
def lowered_reductions():
    """The reductions of statistics, so run: each is built once."""
    from optlab.ensemble.cuda_reductions import kernels

    made = kernels()
    found = {name: lowered_kernel(value) for name, value in vars(made).items() if hasattr(value, "py_func")}
    return SimpleNamespace(FAN=made.FAN, **found)
