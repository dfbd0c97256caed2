"""Gradient estimators, their tests of means, schedules, normalizations and strategies: beyond the catalogue of bugs."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from optlab import rules, schedules
from optlab.errors import CheckFailed, InputError
from optlab.verify import check_gradient_estimator, check_normalization, check_schedule, check_variance_estimator, strategies
from optlab.verify.means import bernstein_limit, center_verdict, mean_verdict, normal_limit, tail_index
from tests.oracles import schedules as schedule_oracles
from tests.verify.mutations import others

ROOT = Path(__file__).parents[2]


def test_bernsteins_limit_holds_for_a_coin():
    """Exactly: the binomial tail beyond the limit, for coins of several weights."""
    for weight in (0.5, 0.05, 0.001):
        for draws in (50, 1000, 20_000):
            variance, reach = np.array([weight * (1 - weight)]), np.array([max(weight, 1 - weight)])
            limit = float(bernstein_limit(draws, variance, reach, 1e-6)[0])
            above = binom.sf(np.ceil(draws * (weight + limit)) - 1, draws, weight)
            below = binom.cdf(np.floor(draws * (weight - limit)), draws, weight)
            assert above + below <= 1e-6


def test_the_normal_limit_is_the_normal_quantile_without_skewness():
    assert normal_limit(1000, 0.0, 1e-9) == pytest.approx(norm.isf(5e-10), abs=1e-9)
    assert normal_limit(1000, 0.5, 1e-9) > normal_limit(4000, 0.5, 1e-9) > normal_limit(4000, 0.0, 1e-9)


def test_skewed_means_raise_no_more_often_than_said():
    """At 1e-2, where it can be counted: exponential draws, 600 times. The count exceeds 22 with probability 1e-7 at a rate of 1e-2."""
    rng = np.random.default_rng(0)
    verdicts = [mean_verdict(rng.exponential(size=(400, 1)), np.ones(1), 1e-2).held for _ in range(600)]
    assert sum(held is False for held in verdicts) <= 22


def test_the_bounded_transform_raises_no_more_often_than_said():
    """At 1e-2, for a Cauchy law, which has no mean: at most 60 of 3000 with probability 1 - 1e-6."""
    rng = np.random.default_rng(1)
    verdicts = [center_verdict(rng.standard_cauchy((200, 1)), np.zeros(1), 1e-2).held for _ in range(3000)]
    assert sum(not held for held in verdicts) <= 60
    assert not center_verdict(rng.standard_cauchy((4000, 1)) + 0.5, np.zeros(1), 1e-9).held


def test_tails_are_told():
    rng = np.random.default_rng(2)
    assert tail_index(rng.standard_cauchy((4000, 2))) < 1.3
    assert tail_index(rng.normal(size=(4000, 2))) > 4
    assert "variance looks infinite" in check_gradient_estimator(lambda r: r.standard_cauchy(1), [0.0])[1].detail
    assert "variance looks infinite" not in check_gradient_estimator(lambda r: r.standard_cauchy(1), [0.0], tails="finite")[1].detail


def test_with_and_without_replacement_are_told_apart():
    data = others.samples(3, n=40)
    for make, words in ((others.replacement, "with replacement"), (others.subset, "without replacement")):
        found = check_gradient_estimator(make(data, 10), data.mean(0), batch=10, sample_gradients=data)
        assert words in found[3].detail
        assert found[3].passed is None


def test_a_whole_batch_is_the_full_gradient():
    data = others.samples(4, n=20)
    found = check_gradient_estimator(lambda: data.mean(0), data.mean(0), batch=20, sample_gradients=data, sampling="subset")
    assert found[0].passed
    assert found[1].passed


def test_real_samples_of_a_table_pass():
    """Gradients of least squares rows, which are products, and skewed."""
    rng = np.random.default_rng(5)
    data = strategies.DataSet(rng.normal(size=(60, 3)), rng.exponential(size=60))
    each = data.sample_gradients(np.array([0.5, -1.0, 2.0]))
    by_hand = (data.X @ [0.5, -1.0, 2.0] - data.y)[:, None] * data.X
    np.testing.assert_allclose(each, by_hand)
    for seed in range(5):
        check_gradient_estimator(others.replacement(each), each.mean(0), batch=8, sample_gradients=each, sampling="replacement", rng=seed)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sampling": "random"}, "use one of replacement, subset, reshuffle"),
        ({"tails": "thin"}, "use 'finite' or 'heavy'"),
        ({"draws": 3}, "too few"),
        ({"batch": 0}, "no number of samples"),
        ({"sample_gradients": np.ones((4, 3))}, r"give \(n, 2\)"),
        ({"sample_gradients": np.ones((4, 2))}, "not the mean of sample_gradients"),
    ],
)
def test_bad_input_is_one_line(options, words):
    with pytest.raises(InputError, match=words) as caught:
        check_gradient_estimator(lambda rng: rng.normal(size=2), np.zeros(2), **options)
    assert "\n" not in str(caught.value)


def test_draws_of_another_shape_are_refused():
    with pytest.raises(InputError, match="draw returns 3 numbers for a full gradient of 2"):
        check_gradient_estimator(lambda rng: np.zeros(3), np.zeros(2))
    with pytest.raises(CheckFailed, match="draw 1 is not finite"):
        check_gradient_estimator(lambda rng: np.full(2, np.nan), np.zeros(2))


SCHEDULES = {
    "cosine(peak=0.1, steps=20, floor=0.001)": lambda t: schedule_oracles.cosine(t, 0.1, 20, 0.001),
    "inverse_sqrt(a=0.1)": lambda t: 0.1 / (t + 1) ** 0.5,
    "constant(alpha=0.1)": lambda t: 0.1,
}


@pytest.mark.parametrize("text", SCHEDULES)
def test_correct_schedules_pass(text):
    found = check_schedule(SCHEDULES[text], schedule=text)
    assert [check.passed for check in found] == [True, True]


def test_a_schedule_that_remembers_is_not_pure():
    calls = []

    def counting(t):
        calls.append(t + 0)  # it is not counted when it is asked whether it makes a torch scheduler
        return 0.1 / len(calls) ** 0.5

    with pytest.raises(CheckFailed, match="a second reading gives other rates"):
        check_schedule(counting, schedule="inverse_sqrt(a=0.1)")
    with pytest.raises(InputError, match="is no schedule"):
        check_schedule(3, schedule="inverse_sqrt(a=0.1)")
    with pytest.raises(InputError, match="the schedule fails with ZeroDivisionError"):
        check_schedule(lambda t: 1 / t, schedule="inverse_sqrt(a=0.1)")


@pytest.mark.peers
def test_torchs_schedulers():
    from torch.optim import lr_scheduler

    def one_cycle(optimizer):
        return lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=100, div_factor=10, final_div_factor=100, cycle_momentum=False)

    with pytest.raises(CheckFailed, match=r"the peak at rise\*steps - 1 in place of rise\*\(steps - 1\)"):
        check_schedule(one_cycle, schedule="one_cycle(base=0.01, peak=0.1, steps=100)", steps=100)
    cosine = check_schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=50), schedule="cosine(peak=1, steps=50)", steps=50)
    assert [check.passed for check in cosine] == [True]
    with pytest.raises(CheckFailed, match="the floor after the end missing: it goes on beyond its last step"):
        check_schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=50), schedule="cosine(peak=1, steps=50)")


@pytest.mark.peers
def test_torchs_normalizations():
    import torch

    found = check_normalization(torch.nn.BatchNorm1d, norm="batch_norm")
    assert [check.passed for check in found] == [True, True]
    assert check_normalization(torch.nn.LayerNorm, norm="layer_norm")[0].passed
    with pytest.raises(CheckFailed, match="eps = 1e-3"):
        check_normalization(lambda n: torch.nn.LayerNorm(n, eps=1e-3), norm="layer_norm")


def test_variances_by_other_divisors():
    assert check_variance_estimator(lambda s: s.var(0), correction=0)[0].passed
    with pytest.raises(CheckFailed, match="division by 1"):
        check_variance_estimator(lambda s: ((s - s.mean(0)) ** 2).sum(0))
    with pytest.raises(InputError, match="one per column"):
        check_variance_estimator(lambda s: s.var(ddof=1))


@settings(max_examples=25)
@given(strategies.rules(), strategies.schedules(), strategies.spectra(), strategies.data_sets(), st.data())
def test_what_is_drawn_is_inside_its_domain(rule, schedule, spectrum, data, more):
    assert all(record.domain.contains(rule.values[key]) for key, record in rule.parameters.items())
    assert rules.get(rule.label()) == rule
    assert all(float(schedule.at(t)) >= 0 for t in (0, 1, 10))
    assert schedules.get(schedule.label()) == schedule
    assert spectrum[0] == 1
    assert spectrum == sorted(spectrum, reverse=True)
    assert min(spectrum) >= 1e-4 * (1 - 1e-12)
    assert data.X.shape[0] == data.y.shape[0] >= 2
    batch = more.draw(strategies.batches(len(data.y)))
    assert batch.indices.max() < len(data.y)
    assert batch.sampling == "replacement" or len(set(batch.indices.tolist())) == len(batch.indices)
    gradients = more.draw(strategies.gradient_sequences(coordinates=2))
    assert gradients.ndim == 2
    assert gradients.shape[1] == 2
    assert np.isfinite(gradients).all()


def test_the_guides_examples_run():
    """The README's wrong Adam gives the message that stands below it; the blocks of docs/verify.md and the file to copy run."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = next(block for block in re.findall(r"```python\n(.*?)```", readme, re.S) if "class MyAdam" in block)
    with pytest.raises(CheckFailed) as caught:
        exec(compile(source, "README.md", "exec"), {})
    assert f"```text\n{caught.value}\n```" in readme
    guide = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", guide, re.S):
        space = {}
        exec(compile(block, "verify.md", "exec"), space)
        space["test_sgd"]()
    for target in re.findall(r"\]\(([^)#]+)\)", guide):
        assert (ROOT / "docs" / target).is_file(), target


def test_the_file_to_copy_passes():
    space = {}
    exec(compile((ROOT / "examples" / "test_my_optimizer.py").read_text(encoding="utf-8"), "test_my_optimizer.py", "exec"), space)
    for name in ("test_my_adam", "test_my_adam_at_any_hyperparameters", "test_my_mini_batches"):
        space[name]()


@pytest.mark.peers
def test_the_torch_adam_to_copy_passes():
    space = {}
    exec(compile((ROOT / "examples" / "test_my_optimizer.py").read_text(encoding="utf-8"), "test_my_optimizer.py", "exec"), space)
    space["test_my_torch_adam"]()
