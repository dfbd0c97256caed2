"""The machine code of a convolution: packed multiply-adds on registers, nothing left in scalars or to a library."""

import platform
import re

from optlab import nn
from optlab.codegen.module import load
from optlab.nn import kernels
from optlab.nn.compiling import signature
from optlab.nn.shapes import shape_of


def loops(text):
    """The blocks of the assembly, each a list of instructions."""
    return [block.split("\n") for block in re.split(r"^\.?\w+:.*$", text, flags=re.M)]


def test_products_are_register_tiles():
    layer = nn.resnet20().layers[1]
    text = kernels.convolution_source(shape_of(layer, "float32"), "float32", "batch", {"first"}, {"same"})
    module = load(text.replace(", cache=True", ""), kernels.SOURCES, "inspected")
    module.forward.compile(signature(kernels.SIGNATURES["forward"], "float32"))
    (text,) = module.forward.inspect_llvm().values()
    assert len(re.findall(r"call .*<\d+ x float> @llvm.fma", text)) >= 100
    assert not re.search(r"call float @llvm.(fma|sqrt|exp)", text)
    if platform.machine() in ("x86_64", "AMD64"):
        (asm,) = module.forward.inspect_asm().values()
        hold(asm)


def hold(asm):
    fused = [[line for line in block if re.search(r"\tvfn?m(add|sub)\d+p[sd]\s.*%[yz]mm", line)] for block in loops(asm)]
    stored = [sum(bool(re.search(r"\tvmov[ua]ps\s+%[yz]mm\d+, .*\(%rsp", line)) for line in block) for block in loops(asm)]
    broadcasts = [sum("vbroadcastss" in line for line in block) for block in loops(asm)]
    tiles = [(len(f), s) for f, b, s in zip(fused, broadcasts, stored, strict=True) if len(f) >= 8 and b >= 4]
    assert tiles, "no loop of broadcasts and packed multiply-adds"
    assert all(spilled == 0 for _, spilled in tiles), "accumulators leave their registers"
    assert sum(map(len, fused)) >= 100
    scalar = len(re.findall(r"\tvfn?m(?:add|sub)\d+s[sd]\s", asm))
    assert scalar <= 8
    assert not re.search(r"call\w*\s+\w*(fmaf?|sqrtf?|expf?)\b", asm)
