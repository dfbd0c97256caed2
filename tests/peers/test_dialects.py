"""Every dialect against torch, optax and keras themselves: signatures, updates in both precisions, and what may deviate."""

import importlib
import inspect

import pytest

from optlab.libraries import LIBRARIES, SIGNATURES, WITHOUT_EFFECT, signature
from optlab.rosetta.forms import all_forms
from optlab.verify import conformance

pytestmark = pytest.mark.peers

FORMS = [form for library in LIBRARIES for form in all_forms(library)]
IDS = [f"{form.base.name}-{form.decay or 'plain'}-{form.line({})}" for form in FORMS]


@pytest.mark.parametrize("call", SIGNATURES)
def test_signatures_and_default_values_are_the_librarys(call):
    module, _, name = call.rpartition(".")
    conformance.ready(call.partition(".")[0])
    theirs = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    ours = signature(call)
    layered = module in ("torch.optim.lr_scheduler", "torch.nn", "keras.layers")  # a schedule's lr is the optimizer's own option
    assert ours.keys() - ({"lr"} if module == "torch.optim.lr_scheduler" else set()) <= theirs.keys()
    for option, value in ours.items():
        if option not in theirs:
            continue
        default = theirs[option].default
        assert (value is ... and default is inspect.Parameter.empty) or (value == default and type(value) in (type(default), int, float)), (
            option
        )
    if layered:
        return  # options that optlab does not know are refused there
    unsaid = theirs.keys() - ours.keys() - WITHOUT_EFFECT
    assert not unsaid, "an option of the library that optlab neither maps nor refuses"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("form", FORMS, ids=IDS)
def test_a_dialect_is_its_library(form, dtype, record_property):
    found = conformance.check_form(form, dtype)
    record_property("deviation", found.deviation)
    assert found.passed, f"{found.worst}: {found.deviation:.2e}"


def test_schedules_and_normalizations_are_the_librarys(record_property):
    """Learning rates of 60 steps; forward, running values and backward of ten batches."""
    found = conformance.check_layers()
    assert len(found) == 18
    for one in found:
        record_property(f"{one.call} {one.dtype}", one.deviation)
        assert one.passed, f"{one.call} {one.dtype}: {one.deviation:.2e}"


def test_a_wrong_dialect_is_noticed():
    """The comparison itself can fail: eps inside the root is not torch's Adam, nor is keras' eps."""
    from optlab.rosetta.forms import Form, forms

    torch = forms("adam", "torch")[0]
    for placement in ("inside", "before_correction"):
        wrong = Form(torch.base.with_(eps_placement=placement), torch.dialect)
        assert conformance.check_form(wrong, steps=40).passed is False
