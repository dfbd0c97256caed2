"""Claims on networks beside the others: the same answers in the order asked for; an error or an interrupt of either ends both."""

import threading
import time

import pytest
import xarray as xr

from optlab.claims import run as run_module
from optlab.claims.catalog import CLAIMS
from optlab.claims.record import Claim, Findings, Measured, Part
from optlab.claims.run import run_claims
from optlab.errors import InputError
from optlab.experiments import processes
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell

NETWORKS = (2, 4)


def asked(monkeypatch, count, measures):
    """``run_claims`` of made-up claims, those of NETWORKS on networks; ``measures`` of some are given, others count cells."""
    monkeypatch.setenv("OPTLAB_PROCESSES", str(count))

    def counting(number):
        def measure(setting, run):
            values = run([Cell(f"{number}-{k}", {"claim": number, "k": k}, lambda k=k: xr.Dataset({"x": float(k)})) for k in range(number)])
            return Findings({"x": Measured.exact(sum(float(one.x) for one in values))}, xr.Dataset())

        return measure

    def load(number):
        about = {"parts": (Part("x", "x", (0.0, 100.0)),), "networks": float(number in NETWORKS)}
        return Claim(number, f"claim{number}", "", "", measure=measures.get(number, counting(number)), **about)

    monkeypatch.setattr(run_module, "load", load)

    def call(tmp_path, **options):
        return run_claims([4, 3, 2, 1], store=tmp_path / "store", **options)

    return call


def slow_cells(number, seen, most=2000):
    """A claim of many short cells, one at a time; it would take a minute."""

    def measure(setting, run):
        for k in range(most):
            run([Cell(f"{number}-{k}", {"claim": number, "k": k}, lambda: time.sleep(0.03) or xr.Dataset({"x": 0.0}))])
            seen.append((number, k))
        raise AssertionError("nobody has stopped it")

    return measure


def failing(error, after):
    def measure(setting, run):
        assert after.wait(60)
        raise error

    return measure


@pytest.mark.parametrize("count", [1, 2])
def test_answers_are_the_same_and_in_order(count, monkeypatch, tmp_path):
    told = []
    given = []
    answers = asked(monkeypatch, count, {})(
        tmp_path, progress=lambda done, total, label: told.append((done, total, label)),
        answered=lambda answer: given.append((answer, threading.current_thread())),
    )  # fmt: skip
    assert sorted(answer.claim.number for answer, _ in given) == [1, 2, 3, 4]
    assert {thread for _, thread in given} == {threading.current_thread()}
    assert [a.claim.number for a in answers] == [4, 3, 2, 1]
    assert [a.findings.numbers["x"].value for a in answers] == [6.0, 3.0, 1.0, 0.0]
    assert [(a.computed, a.read, a.timed) for a in answers] == [(4, 0, 4), (3, 0, 3), (2, 0, 2), (1, 0, 1)]
    assert {label for *_, label in told} == {f"{n}-{k}" for n in (1, 2, 3, 4) for k in range(n)}
    assert {total for _, total, _ in told} == {4}


def test_claims_that_run_beside_the_others_are_those_whose_cells_are_sent_to_processes():
    assert {number for number in CLAIMS if run_module.load(number).networks} == {7, 14, 15, 16, 17, 18, 19}


def test_both_kinds_run_at_the_same_time(monkeypatch, tmp_path):
    meeting = threading.Barrier(2, timeout=60)

    def met(setting, run):
        meeting.wait()
        return Findings({"x": Measured.exact(1.0)}, xr.Dataset())

    assert len(asked(monkeypatch, 2, {3: met, 4: met})(tmp_path)) == 4


@pytest.mark.parametrize(("bad", "long"), [(3, 4), (4, 3)])
def test_an_error_of_either_is_raised_and_ends_the_other(bad, long, monkeypatch, tmp_path):
    seen, begun = [], threading.Event()

    def slow(setting, run):
        begun.set()
        return slow_cells(long, seen)(setting, run)

    call = asked(monkeypatch, 2, {bad: failing(InputError("alpha = -1 is out of range"), begun), long: slow})
    with pytest.raises(InputError, match="alpha = -1"):
        call(tmp_path)
    before = len(seen)
    time.sleep(0.2)
    assert len(seen) == before < 1999


def test_an_interrupt_ends_both_and_what_is_finished_is_kept(monkeypatch, tmp_path):
    seen, begun = [], threading.Event()

    def slow(setting, run):
        run([Cell("first", {"claim": "first"}, lambda: xr.Dataset({"x": 7.0}))])
        begun.set()
        return slow_cells(4, seen)(setting, run)

    with pytest.raises(KeyboardInterrupt):
        asked(monkeypatch, 2, {3: failing(KeyboardInterrupt(), begun), 4: slow})(tmp_path)
    before = len(seen)
    time.sleep(0.2)
    assert len(seen) == before < 1999
    assert not processes._team
    assert float(Store(tmp_path / "store").get({"claim": "first"}).x) == 7
