"""One convolution in bfloat16, launched as a network launches it: on a device, or on the simulator with tensor cores in Python."""

import numpy as np
from numba import cuda

from optlab.nn.cuda import kernels
from optlab.nn.cuda.tensor_shapes import FilterTiles, back_data_tiles, forward_tiles
from tests.cuda.bf16_cases import LAYERS, bits, drawn


def convolved(name, parts=2):
    """What the kernels of a layer make: ``result``, ``back`` (not of the images) and ``partial``, bfloat16 numbers as 16 bits."""
    layer, count = LAYERS[name]
    module = kernels.loaded(kernels.convolution_source(layer, kernels.BF16))
    x, w, dy = drawn(name)
    given = cuda.to_device(x.ravel() if layer.inputs == 3 else bits(x).ravel())
    slope, weights = cuda.to_device(bits(dy).ravel()), cuda.to_device(w.ravel())
    place = 8  #: the filters of another layer before it
    working = cuda.to_device(np.full(place + w.size, 0x7FC0, np.uint16))
    narrow = kernels.loaded(kernels.narrowing_source()).narrow
    narrow[-(-w.size // 64), 64](weights, working[place:], w.size)
    out = {"working": working[place:].copy_to_host()}
    result = cuda.to_device(np.zeros(dy.size, np.uint16))
    tiles = forward_tiles(layer)
    module.forward[tiles.blocks(count), tiles.threads](given, working, place, result, count)
    out["result"] = result.copy_to_host()
    if layer.inputs % 8 == 0:
        back, tiles = cuda.to_device(np.zeros(x.size, np.uint16)), back_data_tiles(layer)
        module.back_data[tiles.blocks(count), tiles.threads](slope, working, place, back, count)
        out["back"] = back.copy_to_host()
    tiles, partial = FilterTiles(layer), cuda.to_device(np.full(parts * (place + w.size), np.nan, np.float32))
    module.back_weights[(parts, tiles.grains), tiles.threads](given, slope, partial, place, place + w.size, count)
    out["partial"] = partial.copy_to_host().reshape(parts, -1)[:, place:]
    return out
