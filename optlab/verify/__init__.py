"""Checks to point at an optimizer, a gradient estimator, a schedule, a normalization, a rule or a bound, built in or of one's own."""

from optlab.verify.optimizers import check_optimizer
from optlab.verify.rules import Check, check_rule
from optlab.verify.slack import Slack, measure_slack

__all__ = ["Check", "Slack", "check_optimizer", "check_rule", "measure_slack"]
