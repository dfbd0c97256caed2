"""Whatever an experiment returns in these tests has to name its numbers."""

import pytest

from optlab.experiments.experiment import Experiment
from tests.labels import lacking


@pytest.fixture(scope="session", autouse=True)
def named_numbers():
    run = Experiment.__call__

    def checked(self, *arguments, **options):
        result = run(self, *arguments, **options)
        assert lacking(result) == [], f"{self.name}: give these a long_name, or optlab.quantities a meaning"
        return result

    Experiment.__call__ = checked
    yield
    Experiment.__call__ = run
