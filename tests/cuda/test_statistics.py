"""Statistics reduced by the device's kernels, lowered to the host: the CPU's bits for any grid and splitting, in bounded memory."""

import numpy as np
import pytest

import optlab as ol
from tests.cuda.test_parity import assert_same_bits

pytestmark = pytest.mark.cuda

#: 1100 runs are 17 whole blocks and a part of one: more than one thread joins; some of them diverge
MANY = {
    "rule": "sgd", "problem": "quadratic(condition_number=10, dim=3, noise=1)", "schedule": 2.001, "steps": 12, "trajectories": 1100,
    "record": [0, 3, 7, 12], "limit": 10.0, "reach": [0.6, 0.2], "keep": 70, "outcomes": True, "dtype": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    return ol.simulate(**MANY)


def test_the_case_has_all_that_is_counted(expected):
    assert 0 < float(expected.diverged[-1]) < 1100
    assert 0 < float(expected.reached[0, -1]) < 1100
    assert len(np.unique(expected.loss_quantile[:, 1])) == 5


@pytest.mark.parametrize("chunk", [None, 1, 2, 8])
def test_any_splitting_gives_the_cpus_bits(chunk, lowered, expected):
    assert_same_bits(ol.simulate(**MANY, backend="cuda", chunk=chunk), expected)


@pytest.mark.parametrize("threads", [32, 1024])
def test_any_grid_gives_the_cpus_bits(threads, lowered, expected, monkeypatch):
    from optlab.ensemble import cuda_reductions

    monkeypatch.setattr(cuda_reductions, "THREADS", threads)
    assert_same_bits(ol.simulate(**MANY, backend="cuda"), expected)


def test_counts_grow_with_the_octaves_that_occur(lowered, expected, monkeypatch):
    from optlab.ensemble import cuda_reductions

    monkeypatch.setattr(cuda_reductions, "PAGES", 1)
    assert_same_bits(ol.simulate(**MANY, backend="cuda", chunk=2), expected)


def test_an_interrupted_launch_goes_on_to_the_same_bits(lowered, expected, tmp_path):
    kept, told = tmp_path / "run.part", []

    def stop(done, total):
        told.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ol.simulate(**MANY, backend="cuda", chunk=4, checkpoint=kept, progress=stop)
    assert told[0] < 1100
    assert kept.exists()
    told.clear()
    again = ol.simulate(**MANY, backend="cuda", chunk=4, checkpoint=kept, progress=lambda done, total: told.append(done))
    assert told[0] > 256
    assert_same_bits(again, expected)


@pytest.mark.parametrize("values", [[np.nan] * 64, [np.inf, -np.inf, np.nan, -0.0] * 16 + [1.0], [np.nan, np.nan], [-np.inf] * 3])
def test_moments_of_what_is_not_finite_are_the_cpus(values, lowered):
    from optlab.ensemble.cuda_reductions import Room, moments
    from optlab.ensemble.statistics import compiled
    from tests.cuda.launches import _here

    values, expected = np.array(values), np.empty((1, 6))
    compiled().reduce_rows(values, 1, len(values), len(values), expected)
    np.testing.assert_array_equal(moments(Room(), _here(values), 1, len(values), len(values)), expected)


class Bus:
    """Counts what goes to the device and comes back, and the most that its arrays hold."""

    def __init__(self, monkeypatch):
        from numba import cuda

        from tests.cuda.launches import OnHost

        self.there = self.back = self.largest = 0
        to_device, device_array, copy = cuda.to_device, cuda.device_array, OnHost.copy_to_host
        monkeypatch.setattr(cuda, "to_device", lambda array: self._count(to_device(array)))
        monkeypatch.setattr(cuda, "device_array", lambda size, dtype: self._most(device_array(size, dtype)))
        monkeypatch.setattr(OnHost, "copy_to_host", lambda array, out: self._copy(copy, array, out))

    def _count(self, array):
        self.there += array.nbytes
        return array

    def _most(self, array):
        self.largest = max(self.largest, array.nbytes)
        return array

    def _copy(self, copy, array, out):
        self.back += out.nbytes
        copy(array, out)


PLAIN = MANY | {"keep": 0, "outcomes": False, "coordinates": False, "schedule": 0.1, "limit": 1e15}


def test_what_comes_back_does_not_grow_with_the_runs_of_a_chunk(lowered, monkeypatch):
    """Of one launch: six moments a recorded step, and counts. The losses alone would be 8 bytes a run and step."""
    counted = []
    for runs in (1024, 4096):
        bus = Bus(monkeypatch)
        ol.simulate(**PLAIN | {"trajectories": runs, "quantiles": ()}, backend="cuda")
        counted.append((bus.there, bus.back))
    assert counted[0] == counted[1]
    assert counted[0][1] < 1024


def test_the_devices_memory_is_that_of_a_chunk(lowered, monkeypatch):
    from optlab.ensemble import cuda

    monkeypatch.setattr(cuda, "LAUNCH_BYTES", 64 * 1024)
    most = []
    for runs in (1024, 4096):
        bus = Bus(monkeypatch)
        ol.simulate(**PLAIN | {"trajectories": runs, "quantiles": ()}, backend="cuda")
        most.append(bus.largest)
    assert most[0] == most[1] <= 64 * 1024
