"""The start of weights before rectifiers: normal of mean 0 (He et al., Delving deep into rectifiers, ICCV 2015, equation 10)."""

import sympy as sp

from optlab.symbols import symbol

fan_in = symbol("fan_in")  #: the numbers that one output is made of

DEVIATION = sp.sqrt(2 / fan_in)
