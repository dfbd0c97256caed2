// What follows from a rule's functions (above): roots, expected loss, noise floor.
const Explorer = (() => {
  "use strict";

  // Roots of z + c, or of z^2 + b z + c, as [real part, imaginary part].
  function roots([, b, c]) {
    if (c === undefined) return [[-b, 0]];
    const square = b * b / 4 - c;
    if (square < 0) return [[-b / 2, Math.sqrt(-square)], [-b / 2, -Math.sqrt(-square)]];
    const far = -b / 2 - (b >= 0 ? 1 : -1) * Math.sqrt(square); // the one without cancellation
    return [[far, 0], [far === 0 ? 0 : c / far, 0]];
  }

  const modulus = ([re, im]) => Math.hypot(re, im);

  // Expected loss by step on two directions of curvature 1 and 1/kappa, from theta = 1, gradient noise of standard deviation sigma.
  function expectedLoss(name, { alpha, beta, kappa, sigma }, steps) {
    const rule = RULES[name], push = rule.push(alpha, beta), n = push.length, losses = new Array(steps + 1).fill(0);
    for (const lam of [1, 1 / kappa]) {
      const M = rule.transition(alpha, beta, lam);
      let mean = push.map((_, i) => (i === 0 ? 1 : 0)), spread = push.map(() => new Array(n).fill(0));
      for (let step = 0; step <= steps; step++) {
        losses[step] += lam / 2 * (mean[0] * mean[0] + spread[0][0]);
        const half = M.map(row => spread[0].map((_, j) => row.reduce((sum, m, k) => sum + m * spread[k][j], 0)));
        spread = half.map((row, i) => M.map((other, j) => row.reduce((sum, h, k) => sum + h * other[k], 0) + sigma * sigma * push[i] * push[j]));
        mean = M.map(row => row.reduce((sum, m, k) => sum + m * mean[k], 0));
      }
    }
    return losses;
  }

  function facts(name, { alpha, beta, kappa, sigma }) {
    const rule = RULES[name];
    const ends = [1, 1 / kappa].map(lam => {
      const found = roots(rule.coefficients(alpha, beta, lam));
      return { lam, roots: found, radius: Math.max(...found.map(modulus)), limit: rule.limit(beta, lam) };
    });
    const radius = Math.max(...ends.map(end => end.radius)), limit = Math.min(...ends.map(end => end.limit)), stable = radius < 1;
    const floor = stable ? ends.reduce((sum, { lam }) => sum + lam / 2 * rule.variance(alpha, beta, lam, sigma * sigma), 0) : Infinity;
    return { ends, radius, limit, stable, floor, perDigit: stable ? Math.log(10) / -Math.log(radius) : Infinity };
  }

  return { roots, expectedLoss, facts, best: (name, kappa) => RULES[name].best(1 / kappa, 1) };
})();
