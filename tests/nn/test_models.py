"""Models as records, their sizes, the start of their weights, and what the files of the room promise."""

import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import optlab
from optlab import nn
from optlab.layers import relu, softmax_cross_entropy
from optlab.nn.parameters import Layout
from optlab.nn.shapes import split

ROOM = Path(optlab.__file__).parent / "nn"


def test_the_paper_s_sizes():
    """He et al., Table 6: 0.27, 0.46, 0.66 and 0.85 million parameters; 40.55 million multiply-adds."""
    sizes = {20: 269722, 32: 464154, 44: 658586, 56: 853018}
    assert {depth: nn.resnet(depth).parameter_count for depth in sizes} == sizes
    assert nn.resnet20().multiply_adds == 40_551_040


@pytest.mark.parametrize("model", [nn.resnet20(), nn.resnet(8, norm="rms"), nn.mlp(features=9, hidden=(5, 4)), nn.linear(features=3)])
def test_the_flat_buffer_holds_every_parameter_once(model):
    layout = Layout(model)
    buffer = np.zeros(layout.size, np.int64)
    for view in layout.named(buffer).values():
        view += 1
    assert buffer.max() == 1
    assert buffer.sum() == model.parameter_count
    assert layout.size < model.parameter_count + 32


def test_weights_start_normal_by_their_fan_in():
    """The standard deviation of 2304 and 36864 drawn numbers, to 6.5 standard errors: a false alarm has probability 1e-10 each."""
    layout = Layout(nn.resnet20())
    one, other = np.zeros(layout.size), np.zeros(layout.size)
    layout.start(one, 7)
    layout.start(other, 8)
    named = layout.named(one)
    for name, fan_in in (("stage1.block1.conv1.weight", 144), ("stage3.block2.conv2.weight", 576)):
        view = named[name]
        assert abs(view.std() / np.sqrt(2 / fan_in) - 1) < 6.5 / np.sqrt(2 * view.size)
        assert not np.array_equal(view, layout.named(other)[name])
    assert np.all(named["stem.gamma"] == 1)
    assert np.all(named["stem.beta"] == 0)


def test_register_tiles_cover_all_rows():
    for total in range(1, 70):
        for most in (6, 12, 14):
            tiles = split(total, most)
            assert sum(rows * times for rows, times in tiles) == total
            assert max(rows for rows, _ in tiles) <= most


def test_no_function_of_a_norm_or_loss_is_typed_here():
    """Roots, exponentials and logarithms come from records."""
    for path in [*ROOM.rglob("*.py")]:
        text = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"\b(sqrt|exp|log|log1p|expm1|rsqrt|tanh)\b\s*\(", text), path
        assert "** 0.5" not in text, path


def test_the_rectifier_s_adjoint_is_its_derivative():
    for value in (-2, sp.Rational(1, 3), 5):
        y = relu.VALUE.subs(relu.z, value)
        slope = relu.VALUE.diff(relu.z).subs(relu.z, value)
        assert relu.ADJOINT.subs(relu.y, y) == slope * relu.dy


def test_the_loss_s_slopes_add_up_to_zero():
    z = sp.symbols("z:3", real=True)
    loss = softmax_cross_entropy
    total = sum(loss.TERM.subs(loss.z, value) for value in z)
    slopes = [loss.SLOPE.subs({loss.z: value, loss.total: total}) for value in z]
    assert sp.simplify(sum(slopes) + loss.TARGET_SLOPE) == 0
