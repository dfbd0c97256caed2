"""Kernels compiled to PTX for two architectures and assembled, held to the committed table of what they may take."""

import pytest

from tests.cuda.assembly import ARCHITECTURES, NAMES, assemble, budget, operations

pytestmark = pytest.mark.cuda

SECONDS = 15.0  #: of processor time for one kernel, at most; the first of its architectures bears the lowering
REGISTERS = 8  #: that another release of the compiler may take more


def test_the_table_has_every_kernel():
    assert set(budget()) == {(name, architecture) for name in NAMES for architecture in ARCHITECTURES}


def test_float32_kernels_compute_in_float64_where_they_average_a_loss_over_a_table_only():
    assert {name for (name, _), row in budget().items() if int(row["other_f64"])} <= {name for name in NAMES if " rows " in name}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_keeps_to_its_budget(name, architecture):
    found, allowed = assemble(name, architecture), budget()[name, architecture]
    assert found.spills == 0
    assert found.contracted == 0
    assert found.other_f64 <= int(allowed["other_f64"])
    assert found.sums_f64 <= int(allowed["sums_f64"])
    assert found.stack <= int(allowed["stack"])
    assert found.shared <= int(allowed["shared"])
    assert found.registers <= int(allowed["registers"]) + REGISTERS
    assert found.seconds <= SECONDS


def test_operations_are_counted():
    text = "\tadd.rn.f64 \t%fd1, %fd2, %fd3;\n\t@%p1 mul.f64 \t%fd1, %fd2, %fd3;\n\tret;\n\t@!%p2 bra.uni \t$L__BB0_1;\n"
    assert operations(text) == {"add.rn.f64": 1, "mul.f64": 1, "bra.uni": 1}
