"""Checks that can be pointed at a rule."""

from optlab.verify.rules import Check, check_rule

__all__ = ["Check", "check_rule"]
