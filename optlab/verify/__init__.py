"""Checks that can be pointed at a rule or a bound."""

from optlab.verify.rules import Check, check_rule
from optlab.verify.slack import Slack, measure_slack

__all__ = ["Check", "Slack", "check_rule", "measure_slack"]
