"""`make gpu` without a device ends with one line, not with a failure for every test; and a host that stands for the device."""

import pytest


def pytest_configure(config):
    if config.option.markexpr != "gpu":
        return
    from optlab.codegen.cuda import reason_without

    reason = reason_without()
    if reason is not None:
        pytest.exit(f"tests marked gpu: nothing tested: {reason}", returncode=2)


@pytest.fixture
def lowered(monkeypatch):
    """Launches run the lowered code on the host, where their arrays stay."""
    import optlab.codegen.cuda as codegen
    from optlab.ensemble import cuda_reductions
    from optlab.ensemble.cuda import CudaCell
    from tests.cuda.launches import without_device
    from tests.cuda.lowered import lowered_kernel, lowered_reductions

    compiled, reductions = CudaCell.compiled, lowered_reductions()
    monkeypatch.setattr(CudaCell, "compiled", lambda cell, rule: lowered_kernel(compiled(cell, rule)))
    monkeypatch.setattr(cuda_reductions, "kernels", lambda: reductions)
    monkeypatch.setattr(codegen, "reason_without", lambda: None)
    monkeypatch.setattr(codegen, "device_name", lambda: "the host")
    with without_device():
        yield
