"""Kernels of training compiled to PTX for two architectures and assembled, held to the committed table of what they may take."""

import re

import pytest

from tests.cuda.assembly import ARCHITECTURES
from tests.cuda.nn_assembly import SUMMING, assemble, budget, launches
from tests.cuda.test_assembly import REGISTERS, SECONDS

pytestmark = pytest.mark.cuda

SHARED = 48 * 1024  #: bytes that every device has for a block
FILE = 64 * 1024  #: registers of a multiprocessor
ON_TENSOR_CORES = re.compile(r"bf16: (forward|back_data|back_weights) ")  #: the name says its channels: a convolution


def test_the_table_has_every_kernel():
    assert set(budget()) == {(name, architecture) for name in launches() for architecture in ARCHITECTURES}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_keep_to_their_budget(architecture):
    for name in launches():
        found, allowed = assemble(name, architecture), budget()[name, architecture]
        assert found.spills == 0, name
        assert found.products == 0, name
        assert found.f64 <= int(allowed["f64"]), name
        assert found.f64 == 0 or SUMMING.search(name), name
        assert found.stack <= int(allowed["stack"]), name
        assert found.shared <= min(SHARED, int(allowed["shared"])), name
        assert found.registers <= int(allowed["registers"]) + REGISTERS, name
        assert found.registers * found.threads <= FILE, name
        assert found.side_by_side >= int(allowed["side_by_side"]), name
        assert found.mma == int(allowed["mma"]), name
        assert (found.mma > 0) == bool(ON_TENSOR_CORES.search(name)), name
        assert found.seconds <= SECONDS, name
