"""Elementary functions over SIMD lanes, for generated kernels: no branches, no calls, no tables.

Each takes lanes inside a traced function, or plain numbers, and gives the same bits from both; float32 is computed in
float32 alone. Special values are those of IEEE 754 and C; results and arguments may be subnormal.
"""

from optlab.codegen.elementary.exponential import cosh, erf, exp, expm1, sinh, tanh
from optlab.codegen.elementary.logarithmic import log, log1p, power
from optlab.codegen.elementary.trigonometric import acos, asin, atan, cos, sin, tan

__all__ = ["acos", "asin", "atan", "cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "power", "sin", "sinh", "tan", "tanh"]
