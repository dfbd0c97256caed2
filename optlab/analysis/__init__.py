"""What SymPy derives from a rule's definition."""

from optlab.analysis.linear import LinearForm, free_parameters, is_linear, linear_form
from optlab.analysis.mode import Mode, analyze

__all__ = ["LinearForm", "Mode", "analyze", "free_parameters", "is_linear", "linear_form"]
