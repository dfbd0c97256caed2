"""From expressions to compiled code: one printer, one lowering, one cache of generated files."""
