"""The experiment on warmup: runs against plain steps, outcomes, intervals, the same numbers for any number of threads, what is said."""

import numpy as np
import pytest
from scipy.stats import beta

import optlab as ol
from optlab.ensemble.bind import learning_rates
from optlab.errors import InputError
from optlab.experiments import encoder_runs
from optlab.experiments.questions import attention
from optlab.nn.transformer import Encoder, EncoderTrainer, Reversal
from optlab.reporting.figures.questions.attention import draw
from optlab.threads import threads_given

#: As in tests/nn/test_transformer.py, so that one compiled encoder serves both.
KEYS = {
    "vocabulary": 4, "tokens": 4, "width": 8, "heads": 2, "hidden": 12, "blocks": 2, "batch": 3, "places": ["post"], "peaks": [0.02, 3.0],
    "steps": 200, "warmup": 20, "runs": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with threads_given(2):
        return ol.experiments.attention(KEYS, store=tmp_path_factory.mktemp("store"))


def test_a_run_is_plain_steps_on_its_own_seed(found):
    """Run 2 with warmup: Adam by the trainer, the rate written out."""
    seed = 0 * encoder_runs.RUN_SEEDS + 2
    sizes = {name: KEYS[name] for name in ("vocabulary", "tokens", "width", "heads", "hidden", "blocks")}
    trainer, task = EncoderTrainer(Encoder(**sizes), "adam", batch=3, rng=seed), Reversal(4, 4)
    start, losses = trainer.parameters.copy(), []
    for step in range(200):
        rate = 0.02 * (step + 1) / 20 if step < 20 else 0.01 * (1 + np.cos(np.pi * (step - 20) / 180))
        losses.append(trainer.step(*task.batch(3, step=step + 1, seed=seed), rate).loss)
        if step == 19:
            moved = np.linalg.norm(trainer.parameters - start) / np.linalg.norm(start)
    row = found.sel(place="post", warmup=20, peak=0.02).isel(run=2)
    assert float(row.worst) == pytest.approx(max(losses[:20]), rel=1e-4)
    assert float(row.moved) == pytest.approx(moved, rel=1e-4)
    below = np.flatnonzero(np.array(losses) < 0.5 * np.log(4))
    assert float(row.reached) == pytest.approx(below[0] + 1, abs=1)  # rates rounded apart may move the crossing by a step
    assert float(row.last_loss) == pytest.approx(trainer.evaluate(*task.batch(3, step=0, seed=seed)).loss, rel=0.05)


def test_the_first_gradients_are_the_same_with_warmup_and_without(found):
    a, b = found.noise_start.isel(warmup=0), found.noise_start.isel(warmup=1)
    assert (a.values == b.values).all()
    assert len(np.unique(a.isel(peak=0))) == 4


def test_a_reasonable_rate_learns_and_a_huge_one_does_not(found):
    """Three sequences of four words a step, 200 steps: at 0.02 runs are under way, on average well below chance."""
    assert float(found.last_loss.sel(warmup=20, peak=0.02).mean()) < 0.8 * np.log(4)
    assert float(found.learned.sel(warmup=20, peak=3.0)[0]) == 0
    assert (found.moved.isel(warmup=0).values > found.moved.isel(warmup=1).values).all()


def test_intervals_are_clopper_and_pearsons():
    low, high = attention.interval(3, 10)
    assert low == pytest.approx(beta.ppf(0.005, 3, 8), rel=1e-9)
    assert high == pytest.approx(beta.ppf(0.995, 4, 7), rel=1e-9)
    assert attention.interval(0, 10)[0] == 0
    assert attention.interval(10, 10)[1] == 1


def test_any_number_of_threads_gives_the_same_bits(found):
    spec = ol.experiments.attention.read(KEYS)
    with threads_given(1):
        one = attention.cell(spec, "post", 0, 0.02).compute()
    for name in encoder_runs.MEASURES:
        assert np.array_equal(one[name].values, found[name].sel(place="post", warmup=0, peak=0.02).values, equal_nan=True), name


def test_divergence_is_a_result():
    """SGD at an absurd rate without norms leaves the numbers; the runs say when."""
    spec = ol.experiments.attention.read(KEYS | {"rule": "sgd", "norm": "none"})
    one = attention.cell(spec, "post", 0, 1e30).compute()
    assert (one.broken >= 2).all()
    assert np.isnan(one.last_loss).all()
    assert attention.outcome_of(spec, float(one.last_loss[0])) == "diverged"


def test_what_is_printed_and_drawn(found):
    first, second = attention.tables(found)
    assert len(first.rows) == len(second.rows) == 4
    assert first.rows[0][:3] == ["post", "0", "0.02"]
    text = " ".join(attention.findings(found))
    assert "post-norm" in text
    assert "nan" not in text
    assert len(draw(found).axes) == 2


def test_a_constant_rate_follows_where_asked():
    spec = ol.experiments.attention.read(decay="constant")
    for warmup in (0, 50):
        rates = learning_rates(attention.schedule_of(spec, warmup, 0.01), 300)
        assert np.allclose(rates[50:], 0.01)


def test_what_cannot_be_asked_is_said():
    with pytest.raises(InputError, match="warmup = 300"):
        ol.experiments.attention.read(warmup=300)
    with pytest.raises(InputError, match="heads = 3"):
        ol.experiments.attention({"heads": 3})
