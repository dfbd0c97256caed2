"""Schedules and normalizations between libraries: solved maps hold on numbers, by the hand-written twins."""

import pytest
import sympy as sp

from optlab import schedules
from optlab.dialects import option, spellings
from optlab.errors import InputError
from optlab.expressions import exact
from optlab.libraries import LIBRARIES
from optlab.rosetta.norms import compare_norm, norm_matrix, own_norm, read_norm
from optlab.rosetta.schedules import EXAMPLE, compare_schedule, own_schedule, read_schedule, schedule_matrix
from optlab.symbols import time
from tests.oracles.schedules import SCHEDULES


@pytest.mark.parametrize("verdict", [v for v in schedule_matrix() if v.mapping], ids=lambda v: f"{v.source}-{v.library}")
def test_a_solved_map_takes_the_twins_learning_rates(verdict):
    """The library's expression at the mapped options, against the hand-written schedule; where they part, they do."""
    (dialect,) = spellings(schedules.get(verdict.source).dialects[verdict.library])
    parameters = schedules.get(verdict.source).parameters
    numbers = {key: exact(EXAMPLE.get(key.name, "3/10")) for key in parameters}
    options = {option(name): value.xreplace(numbers) for name, value in verdict.mapping.items()}
    twin = SCHEDULES[verdict.source]
    given = {key.name: int(value) if value.is_Integer else float(value) for key, value in numbers.items()}
    for step in range(14):
        ours, theirs = twin(step, **given), float(dialect.expression.xreplace(options).subs(time, step))
        if verdict.apart and verdict.apart[0] == step:
            assert abs(ours - theirs) > 1e-6
            break
        assert abs(ours - theirs) < 1e-12


def test_known_schedule_maps():
    rise, steps = (next(k for k in schedules.get("one_cycle").parameters if k.name == name) for name in ("rise", "steps"))
    found = {(v.source, v.library): v for v in schedule_matrix()}
    assert len(found) == len(LIBRARIES) * len(schedules.names())
    peak_step = found["one_cycle", "torch"].mapping["pct_start"] * steps - 1
    assert sp.simplify(peak_step - rise * (steps - 1)) == 0
    assert found["cosine", "torch"].conditions == ("t <= steps",)
    assert found["cosine", "torch"].apart[0] == 12  # one past the end: at the end both are at the floor
    assert found["warmup_cosine", "optax"].kind == "impossible"
    assert found["warmup_cosine", "optax"].apart[0] == 0
    assert found["inverse_time", "keras"].proved


def test_schedules_that_are_typed():
    source = read_schedule("torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, lr=0.1)")
    verdict = compare_schedule(source, "keras")
    assert verdict.line == "keras.optimizers.schedules.CosineDecay(initial_learning_rate=0.1, decay_steps=100)"
    assert verdict.conditions == ("t <= T_max",)
    back = compare_schedule(read_schedule(verdict.line), "torch")
    assert back.line.endswith("CosineAnnealingLR(optimizer, T_max=100)  # with lr=0.1 in the optimizer")
    with pytest.raises(InputError, match="needs T_max"):
        read_schedule("torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, lr=0.1)")
    with pytest.raises(InputError, match="three_phase=True is not written"):
        read_schedule("torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 100, three_phase=True)")
    assert read_schedule("torch.optim.Adam()") is None
    assert compare_schedule(own_schedule("inverse_sqrt"), "torch").kind == "impossible"


def test_normalizations():
    found = {(v.source, v.library): v for v in norm_matrix()}
    n = sp.Symbol("n", positive=True)
    assert found["batch_norm", "torch"].kind == "identical"
    keras = found["batch_norm", "keras"]
    assert keras.line == "keras.layers.BatchNormalization(epsilon=1e-05, momentum=0.9)"
    assert sp.simplify(keras.running["var"] - n / (n - 1)) == 0
    back = compare_norm(read_norm("keras.layers.BatchNormalization(momentum=0.9)"), "torch")
    assert back.line == "torch.nn.BatchNorm1d(num_features, eps=0.001)"
    assert sp.simplify(back.running["var"] - (n - 1) / n) == 0
    assert compare_norm(own_norm("layer_norm"), "optax").kind == "impossible"
    with pytest.raises(InputError, match="affine=False is not compared"):
        read_norm("torch.nn.BatchNorm1d(3, affine=False)")
