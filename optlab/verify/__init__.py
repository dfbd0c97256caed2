"""Checks to point at an optimizer, a gradient estimator, a schedule, a normalization, a rule or a bound, built in or of one's own."""

from optlab.verify import strategies
from optlab.verify.estimators import check_gradient_estimator
from optlab.verify.normalizations import check_normalization, check_variance_estimator
from optlab.verify.optimizers import check_optimizer
from optlab.verify.rules import Check, check_rule
from optlab.verify.schedules import check_schedule
from optlab.verify.slack import Slack, measure_slack

__all__ = [
    "Check",
    "Slack",
    "check_gradient_estimator",
    "check_normalization",
    "check_optimizer",
    "check_rule",
    "check_schedule",
    "check_variance_estimator",
    "measure_slack",
    "strategies",
]
