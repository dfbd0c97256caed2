"""The Rosetta stone of optimizers: how torch, optax and keras write a rule, and what in one says the same as something in another."""

from optlab.rosetta.compare import Verdict, compare, matrix, translate
from optlab.rosetta.forms import Form, Setting, forms, read

__all__ = ["Form", "Setting", "Verdict", "compare", "forms", "matrix", "read", "translate"]
