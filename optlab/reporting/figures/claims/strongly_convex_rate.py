"""Mean excess loss of SGD against the number of steps."""

from __future__ import annotations

from optlab.reporting.figures.claims.excess import draw_excess as draw

__all__ = ["draw"]
