"""Every mini-batch of a small table, one by one, and what it does to second moments, as one dense matrix."""

import itertools

import numpy as np


def every_batch(n, size, sampling):
    """All ordered batches with replacement, or all subsets: each as likely as any other."""
    if sampling == "replacement":
        return list(itertools.product(range(n), repeat=size))
    return list(itertools.combinations(range(n), size))


def second_moment_matrix(rows, size, sampling, A, b, c):
    """E[M (x) M] of s' = A s + b H_B (c . s), s = (k, d) flattened row by row: a (k d)^2 x (k d)^2 matrix."""
    n, d = rows.shape
    batches = every_batch(n, size, sampling)
    total = 0.0
    for batch in batches:
        H = sum(np.outer(rows[r], rows[r]) for r in batch) / size
        M = np.kron(A, np.eye(d)) + np.kron(np.outer(b, c), H)
        total = total + np.kron(M, M)
    return total / len(batches)


def gradient_covariance(rows, residuals, size, sampling):
    """The covariance of the batch gradient at the minimizer, residuals y - x . theta*."""
    batches = every_batch(len(rows), size, sampling)
    gradients = np.array([-sum(rows[r] * residuals[r] for r in batch) / size for batch in batches])
    return gradients.T @ gradients / len(batches)


def blocks(S, k, d):
    """(k d, k d) as (k, k, d, d)."""
    return S.reshape(k, d, k, d).transpose(0, 2, 1, 3)
