"""What SymPy derives from the definition of a rule or of a normalization layer."""

from optlab.analysis.invariance import statements
from optlab.analysis.linear import LinearForm, free_parameters, is_linear, linear_form
from optlab.analysis.mode import Mode, analyze
from optlab.analysis.normalization import Backward, backward

__all__ = ["Backward", "LinearForm", "Mode", "analyze", "backward", "free_parameters", "is_linear", "linear_form", "statements"]
