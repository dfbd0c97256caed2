"""What a layer's kernels cannot do is refused before anything is computed."""

import pytest

from optlab.errors import InputError
from optlab.nn.models import Layer
from optlab.nn.shapes import lanes_of, shape_of


def test_an_odd_side_is_refused():
    with pytest.raises(InputError, match="side of its image, 7, must be even"):
        shape_of(Layer("conv", 16, 16, side=7, taps=3), "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_shortcut_of_too_few_channels_is_refused(dtype):
    pair = 2 * lanes_of(dtype)
    few = Layer("conv", pair + 2, pair + 2, side=8, taps=3, source="down")
    with pytest.raises(InputError, match=f"must be a multiple of {pair}"):
        shape_of(few, dtype)
    assert shape_of(Layer("conv", pair, pair, side=8, taps=3, source="down"), dtype).layer.inputs == pair
