"""Training in bfloat16 without a device: kernels, steps and runs on the simulator, with tensor cores in Python, against float64."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from optlab import nn
from optlab.codegen.cuda_bf16 import rounded, widened
from optlab.errors import UnsupportedError
from optlab.nn.cuda.tensor_shapes import check_bf16
from tests.cuda import tensor_cores
from tests.cuda.bf16_cases import LAYERS, STEPS, batch, bits, drawn, nearest, numbers
from tests.cuda.nn_cases import moved
from tests.cuda.test_nn_parity import ByHand, norm_of
from tests.oracles import network as twin

pytestmark = pytest.mark.cuda

UNIT = 2.0**-8  #: the largest relative error of rounding to bfloat16
SINGLE = 2.0**-24  #: the same of float32


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "found.pickle"
    command = [sys.executable, "-W", "error", "-m", "tests.cuda.bf16_on_simulator", str(out)]
    ran = subprocess.run(
        command, env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return pickle.loads(out.read_bytes())


def some_floats():
    """Powers of two with all that lies about a tie, small and large ones, and drawn bits."""
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32)
    upper = rng.integers(0, 0x7F80, 2_000, dtype=np.uint32) << 16
    ties = np.concatenate([upper + low for low in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)]).astype(np.uint32)
    return np.concatenate([words, ties, ties | np.uint32(0x80000000)]).view(np.float32)


def test_rounding_is_to_nearest_even():
    x = some_floats()
    found = np.array([rounded(value) for value in x], np.uint16)
    wrong = np.isnan(x)
    assert (found[wrong] == 0x7FFF).all()
    assert wrong.any()
    expected = nearest(x[~wrong])
    over = np.abs(expected) >= 2.0**128  # beyond the largest one: infinity, as a device rounds
    expected[over] = np.copysign(np.inf, expected[over])
    np.testing.assert_array_equal(numbers(found[~wrong]), expected)
    np.testing.assert_array_equal([widened(word) for word in found[~wrong][:100]], expected[:100])


def test_fragments_are_those_of_the_instruction():
    """Against layouts by reshaping: a product of small whole numbers, exact in float32, comes out as NumPy's."""
    rng = np.random.default_rng(1)
    a, b, c = (rng.integers(-8, 9, shape).astype(np.float64) for shape in ((16, 16), (16, 8), (16, 8)))

    def registers(pairs):
        """(register, lane, number of two) -> registers."""
        words = bits(pairs).astype(np.uint32)
        return tuple(words[..., 0] | words[..., 1] << np.uint32(16))

    # rows are half, group; columns half, thread, one of two. Registers count the rows' half first.
    left = registers(a.reshape(2, 8, 2, 4, 2).transpose(2, 0, 1, 3, 4).reshape(4, 32, 2))
    right = registers(b.reshape(2, 4, 2, 8).transpose(0, 3, 1, 2).reshape(2, 32, 2))
    total = tuple(c.reshape(2, 8, 4, 2).transpose(0, 3, 1, 2).reshape(4, 32).astype(np.float32))
    found = np.array(tensor_cores.mma(left, right, total))
    np.testing.assert_array_equal(found.reshape(2, 2, 8, 4).transpose(0, 2, 3, 1).reshape(16, 8), a @ b + c)
    # the same fragments, as ldmatrix reads them: A by rows, B by columns
    lane = np.arange(32)
    here = tensor_cores.matrices(bits(a).ravel(), lane % 16 * 16 + lane // 16 * 8, 0, False)
    np.testing.assert_array_equal(here, left)
    wide = bits(np.concatenate([b, b + 1], 1)).ravel()
    there = tensor_cores.matrices(wide, lane % 16 * 16 + lane // 16 * 8, 0, True)
    np.testing.assert_array_equal(there[:2], right)
    with pytest.raises(IndexError, match="16 bytes"):
        tensor_cores.matrices(wide, lane, 0, True)


def hold_to_float64(name, found, single):
    """A sum of n products, in any order, errs by n times ``single`` of the sum of their sizes; what is stored, by one rounding more."""
    layer, _ = LAYERS[name]
    x, w, dy = drawn(name)
    x, w = nearest(x), nearest(w)
    np.testing.assert_array_equal(numbers(found["working"]), w.ravel())
    size_back, size_w = twin.convolve_back(np.abs(x), np.abs(w), np.abs(dy), layer.stride)
    back, gradient = twin.convolve_back(x, w, dy, layer.stride)

    def held(values, exact, sizes, count, rounding):
        sums = 1.01 * count * single * sizes
        assert (np.abs(values.reshape(exact.shape) - exact) <= sums + rounding * (np.abs(exact) + sums) + 2.0**-133).all()

    result, size = twin.convolve(x, w, layer.stride), twin.convolve(np.abs(x), np.abs(w), layer.stride)
    held(numbers(found["result"]), result, size, 9 * layer.inputs + 16, UNIT)
    assert ("back" in found) == (layer.inputs != 3)
    if "back" in found:
        held(numbers(found["back"]), back, size_back, 9 * layer.outputs + 16, UNIT)
    held(found["partial"].astype(np.float64).sum(0), gradient, size_w, dy[..., 0].size + 16, 0.0)


@pytest.mark.parametrize("name", LAYERS)
def test_a_convolution_is_exact_but_for_its_sums_and_one_rounding(name, simulated):
    hold_to_float64(name, simulated["layers"][name], SINGLE)


def gradients(name, keep):
    """Loss and gradient of a case's first step by hand, in float64, ``keep`` done to what is stored."""
    model, _, sizes = STEPS[name]
    at = moved(ByHand(model))
    named = {key: value.astype(np.float64) for key, value in at.named().items()}
    images, labels = batch(model, sizes[0])
    logits, back, _ = twin.resnet(named, norm_of(model), images.astype(np.float64), len(model.layers) // 6, keep=keep)
    loss, slope = twin.cross_entropy(logits, labels)
    return loss, back(slope), at.layout


def lengths(found, expected):
    """Of the difference from a gradient and of the gradient."""
    return np.sqrt(
        [sum(np.sum((found[key] - value) ** 2) for key, value in expected.items()), sum(np.sum(v**2) for v in expected.values())]
    )


def expected_part(model):
    """What part of a gradient's length the roundings change, about.

    A layer rounds input, filter and result on the way there and three gradients on the way back: each an error of UNIT / sqrt(3) at
    random, so before the last rectifier of L layers delta = sqrt(L) UNIT. A normal number changes its sign with chance delta / pi, and
    then a gradient passes that should not, or does not: of the half of them that pass, 2 delta / pi in each layer.
    """
    layers = sum(layer.taps == 3 for layer in model.layers)
    return np.sqrt(2 * layers * UNIT**2 + 2 * layers * np.sqrt(layers) * UNIT / np.pi)


@pytest.mark.parametrize("name", STEPS)
def test_a_gradient_is_the_twins_that_rounds_at_the_same_places(name, simulated):
    """What differs is float32 between the roundings: one in 2^13 or so may fall to the other side, by 2^-7 of itself.

    The first step looks ahead nowhere: the momentum is zero.
    """
    loss, expected, layout = gradients(name, nearest)
    found = simulated["steps"][name]
    assert abs(found["found"][0] - loss) <= UNIT / 4 * loss
    apart, length = lengths(layout.named(found["gradient"]), expected)
    assert apart <= UNIT / 4 * length


@pytest.mark.parametrize("name", STEPS)
def test_a_gradient_is_that_of_float64_but_for_the_roundings(name, simulated):
    model, _, _ = STEPS[name]
    loss, expected, layout = gradients(name, twin.as_it_is)
    found = simulated["steps"][name]
    apart, length = lengths(layout.named(found["gradient"]), expected)
    assert UNIT * length <= apart <= expected_part(model) * length  # below: nothing was rounded
    assert abs(found["found"][0] - loss) <= 6 * len(model.layers) * UNIT * loss


def stepped(name):
    """Parameters before and after the steps on the CPU in float32, and the losses."""
    model, rule, sizes = STEPS[name]
    here = moved(nn.Trainer(model, rule, batch=max(sizes), threads=1))
    start = here.parameters.copy()
    losses = [here.step(*batch(model, size, seed=k), 0.1).loss for k, size in enumerate(sizes)]
    return start, here.parameters, losses


@pytest.mark.parametrize("name", [name for name, (_, _, sizes) in STEPS.items() if len(sizes) == 1])
def test_a_step_is_float32s_but_for_the_roundings(name, simulated):
    """The change of the parameters beside the CPU's in float32; weights and states are float32 themselves."""
    start, after, (loss,) = stepped(name)
    found = simulated["steps"][name]
    assert found["parameters"].dtype == found["states"].dtype == np.float32
    part = expected_part(STEPS[name][0])
    assert abs(found["found"][0] - loss) <= part * loss
    assert 0 < np.linalg.norm(found["parameters"] - after) <= part * np.linalg.norm(after - start)


def test_the_loss_after_a_step_is_float32s_but_for_the_roundings(simulated):
    """The second step is on fewer images; where the first one has led is the test above's and the gradient's."""
    _, _, losses = stepped("batch")
    part = expected_part(STEPS["batch"][0])
    np.testing.assert_allclose(simulated["steps"]["batch"]["found"][:2], losses, rtol=2 * part)


def test_the_same_seed_gives_the_same_bits(simulated):
    import xarray as xr

    first, second = map(xr.Dataset.from_dict, simulated["trained"])
    assert first.attrs["precision"] == "bf16"
    assert np.isfinite(first.train_loss.values).all()
    for key in first.data_vars:
        np.testing.assert_array_equal(first[key].values, second[key].values, err_msg=key)


def test_a_simulator_without_tensor_cores_says_so(simulated):
    assert simulated["refused"] == "precision = 'bf16' needs tensor cores, and Numba's simulator has none: give precision='full'"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.mlp(features=4), "model mlp has none"),
        (nn.resnet(8, dtype="float64"), "model resnet8 is float64"),
        (nn.resnet(8, side=144), "at most 128 pixels"),
    ],
)
def test_models_that_it_is_not_made_for_are_refused(model, said):
    with pytest.raises(UnsupportedError, match=said):
        check_bf16(model)
