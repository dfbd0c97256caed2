"""The rectifier, max(z, 0): a NaN stays one."""

import sympy as sp

from optlab.symbols import symbol

z, y, dy = symbol("z"), symbol("y"), symbol("dy")

VALUE = sp.Piecewise((0, z < 0), (z, True))  #: y of its argument
ADJOINT = sp.Piecewise((dy, y > 0), (0, True))  #: the derivative of a loss by z, of dy and the result: 0 at 0, as is customary
