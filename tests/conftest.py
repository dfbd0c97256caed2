"""Hypothesis profiles: ``dev`` is quick, ``ci`` looks longer and draws the same examples every time."""

import os

from hypothesis import settings

settings.register_profile("dev", max_examples=25, deadline=None)  # no deadline: the first call of a kernel compiles it
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
