"""Linear rules drawn at random, and the brute-force oracle of their worst rate."""

import numpy as np
import sympy as sp
from hypothesis import strategies as st

from optlab.rules import Parameter, Rule, State, alpha, g, symbol, theta

beta, m, n = symbol("beta"), symbol("m"), symbol("n1")
factors = st.sampled_from([sp.Integer(1), alpha, beta, 1 - beta, alpha * beta])
fractions = st.builds(lambda p, q: sp.Rational(p, q), st.integers(-8, 8), st.sampled_from([2, 4, 6, 8]))


@st.composite
def two_state_rules(draw, entries=None):
    """theta' = theta + a m - alpha c g, m' = p m + q theta + d g with the gradient at theta + e m; ``entries`` is (A, b, c) as well."""
    entry = st.builds(lambda x, f: x * f, fractions, factors)
    A = [[sp.Integer(1), draw(entry)], [draw(st.one_of(st.just(sp.Integer(0)), entry)), draw(entry)]]
    b = [-alpha * draw(st.sampled_from([0, sp.Rational(1, 2), 1, sp.Rational(3, 2), 2])), draw(entry)]
    c = [sp.Integer(1), draw(st.sampled_from([sp.Integer(0), beta, -alpha]))]
    fresh = symbol("fresh")
    rule = Rule(
        name="drawn", parameters={beta: Parameter("1/2", within="[0, 1)")}, state={m: State()}, gradient_at=theta + c[1] * m,
        equations=((fresh, A[0][0] * theta + A[0][1] * m + b[0] * g), (m, A[1][0] * theta + A[1][1] * m + b[1] * g), (theta, fresh)),
    )  # fmt: skip
    return rule, A, b, c


def worst_rates(A, b, c, mu, L, sizes, betas, curvatures=2):
    """The largest eigenvalue modulus of A + lam b c over [mu, L] at every (size, beta), by NumPy's eigenvalues; shape (sizes, betas)."""
    k = len(A)
    entries = sp.lambdify((alpha, beta), [*(e for row in A for e in row), *b, *c], "numpy")
    X, Y = np.meshgrid(sizes, betas, indexing="ij")
    values = [np.broadcast_to(np.asarray(v, float), X.shape) for v in entries(X, Y)]
    matrix = np.stack(values[: k * k], -1).reshape(*X.shape, k, k)
    push = np.stack(values[k * k : k * k + k], -1)[..., :, None] * np.stack(values[k * k + k :], -1)[..., None, :]
    return np.max([np.abs(np.linalg.eigvals(matrix + lam * push)).max(-1) for lam in np.geomspace(mu, L, curvatures)], axis=0)


@st.composite
def three_state_rules(draw):
    """Rules whose characteristic polynomial is (z - 1)(z - a)(z - b) + alpha lam (c2 z^2 + c1 z + c0), and its coefficients."""
    a, b = (sp.Rational(draw(st.integers(-8, 8)), 8) for _ in range(2))
    c = [sp.Rational(draw(st.integers(0, 8)), 4), *(sp.Rational(draw(st.integers(-8, 8)), 4) for _ in range(2))]
    return three_state_rule(a, b, c), (a, b, c)


def three_state_rule(a, b, c):
    """See :func:`three_state_rules`: theta, its last value and the one before it."""
    z, fresh = sp.Symbol("z"), symbol("fresh")
    p = sp.Poly(sp.expand((z - 1) * (z - a) * (z - b)), z).all_coeffs()
    return Rule(
        name="drawn", state={m: State(), n: State()}, gradient_at=c[0] * theta + c[1] * m + c[2] * n,
        equations=((fresh, -p[1] * theta - p[2] * m - p[3] * n - alpha * g), (n, m), (m, theta), (theta, fresh)),
    )  # fmt: skip
