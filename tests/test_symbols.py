"""Formulas read back from text."""

import pytest
import sympy as sp

import optlab as ol


@pytest.mark.parametrize("value", [sp.true, sp.false])
def test_truth_values_read_back(value):
    assert ol.sympify(str(value)) is value
    assert ol.sympify(f" {value} ") is value
