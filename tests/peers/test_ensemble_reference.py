"""The C++ reference of the ensemble benchmark computes the workload: its words, normals, divergence, rows and moments."""

import shutil

import pytest

from benchmarks import ensemble_check, peers_cpp

pytestmark = pytest.mark.peers


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed; the benchmark leaves the reference out as well")
def test_the_reference_computes_the_workload():
    """Fixed seeds; about 700 z scores, each within 6.5 (false alarm 8e-11 each), and goodness of fit at 1e-10."""
    assert ensemble_check.cpp(peers_cpp.build()) < 6.5


def test_the_plain_philox_knows_the_published_answer():
    assert ensemble_check.philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)


def test_a_wrong_contestant_is_caught():
    from benchmarks.peers_numpy import prepare
    from benchmarks.workload import Case

    def biased(case):
        many, run = prepare(case)

        def later(steps):
            mean, variance = run(steps)
            mean[1:] *= 1.5
            return mean, variance

        return many, later

    case = Case(10, "sgd", "float64")
    assert ensemble_check.moments("NumPy", prepare, case) < 6.5
    with pytest.raises(ensemble_check.CheckFailed, match="standard errors off"):
        ensemble_check.moments("biased", biased, case)
