"""The map of stability against the derived limit."""

import numpy as np
import pytest

import optlab as ol
from optlab.reporting.figures.stability import draw_stability, radius_map
from optlab.symbols import alpha, lam


@pytest.mark.parametrize("name", ["momentum", "nesterov", "ema_momentum"])
@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_the_edge_of_the_map_is_the_derived_limit(name, beta):
    matrix, hyper, _ = radius_map(ol.rules.get(name))
    limit = float(ol.analyze(name).stability_limit.subs({lam: 1, hyper: beta}))
    inside, outside = (
        max(abs(np.linalg.eigvals(np.array(matrix.subs({alpha: factor * limit, hyper: beta}), float)))) for factor in (0.999, 1.001)
    )
    assert inside < 1 < outside


def test_adam_is_held_at_its_scale():
    matrix, hyper, axis = radius_map(ol.rules.get("adam"))
    edge = np.array(matrix.subs({alpha: 38, hyper: 0.9}), float)  # 38/alpha: Cohen et al., 2022
    assert max(abs(np.linalg.eigvals(edge))) == pytest.approx(1, abs=1e-12)
    assert axis == "α λ / scale"


@pytest.mark.parametrize("name", ol.rules.names())
def test_every_rule_has_a_picture(name):
    ax = draw_stability(ol.rules.get(name))
    assert ax.get_xlabel().startswith("α λ")
