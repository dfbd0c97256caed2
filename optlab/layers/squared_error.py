"""Half the squared error."""

from optlab.symbols import symbol

z, target = symbol("z"), symbol("target")

LOSS = (z - target) ** 2 / 2
SLOPE = LOSS.diff(z)
