"""One figure per file. Each takes results and an optional Axes, draws, and returns the Axes; nothing is shown."""
