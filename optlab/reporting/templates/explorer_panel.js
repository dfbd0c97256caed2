// The panel: reads the form, draws the circle and the curve.
(() => {
  "use strict";
  const root = document.getElementById("explorer"), form = root.querySelector("form"), STEPS = 300;
  const field = name => form.elements[name], power = name => 10 ** Number(field(name).value);
  const digits = (value, n = 3) => (Number.isFinite(value) ? Number(value.toPrecision(n)).toString().replace("-", "−") : "∞");
  let exact = null; // what the button has set: sliders have steps, the tuning has not

  function setting() {
    return exact || { alpha: power("alpha"), beta: RULES[field("rule").value].hyper ? Number(field("beta").value) : 0,
                      kappa: power("kappa"), sigma: Number(field("sigma").value) <= -4 ? 0 : power("sigma") };
  }

  function circle(ends, color) {
    const x = re => 110 + 80 * re, y = im => 110 - 80 * im, clip = v => Math.max(-1.35, Math.min(1.35, v));
    const mark = ([re, im], first) => first
      ? `<circle cx="${x(clip(re))}" cy="${y(clip(im))}" r="5" fill="${color}"><title>curvature 1</title></circle>`
      : `<rect x="${x(clip(re)) - 4}" y="${y(clip(im)) - 4}" width="8" height="8" fill="none" stroke="${color}" stroke-width="2"><title>curvature 1/κ</title></rect>`;
    const said = ends.map(({ lam, radius }) => `curvature ${digits(lam)}: largest modulus ${digits(radius, 4)}`).join("; ");
    return `<svg viewBox="0 0 220 236" role="img" aria-label="Roots in the unit circle. ${said}"><circle cx="110" cy="110" r="80" fill="none" stroke="currentColor"/>`
      + `<path d="M2 110H218M110 2V218" stroke="currentColor" opacity=".25"/>` + ends.flatMap(({ roots }, i) => roots.map(r => mark(r, i === 0))).join("")
      + `<text x="6" y="232">● curvature 1   ▢ curvature 1/κ</text></svg>`;
  }

  function curve(losses, floor, color) {
    const shown = losses.map(v => Math.min(Math.log10(Math.max(v, 1e-30)), 3));
    const least = Math.min(...shown, floor > 0 && Number.isFinite(floor) ? Math.log10(floor) : Infinity);
    const low = Math.max(-12, Math.floor(least)), high = Math.max(1, Math.ceil(Math.max(...shown)));
    const x = step => 34 + 250 * step / STEPS, y = v => 8 + 196 * (high - Math.max(v, low)) / (high - low);
    const ticks = [...Array(high - low + 1).keys()].filter(i => (high - low) < 7 || i % 2 === 0).map(i => high - i)
      .map(v => `<path d="M34 ${y(v)}H284" stroke="currentColor" opacity=".15"/><text x="4" y="${y(v) + 4}">1e${String(v).replace("-", "−")}</text>`).join("");
    const line = Number.isFinite(floor) && floor > 0 ? `<path class="floor" d="M34 ${y(Math.log10(floor))}H284" stroke="currentColor" stroke-dasharray="4 3"/>` : "";
    const end = losses[STEPS];
    return `<svg viewBox="0 0 290 236" role="img" aria-label="Expected loss by step, from ${digits(losses[0])} to ${digits(end)} after ${STEPS} steps">`
      + ticks + line + `<polyline fill="none" stroke="${color}" stroke-width="2" points="${shown.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ")}"/>`
      + `<text x="34" y="220">0</text><text x="262" y="220">${STEPS}</text><text x="90" y="232">step; dashed: the noise floor</text></svg>`;
  }

  function show() {
    const name = field("rule").value, now = setting(), found = Explorer.facts(name, now), losses = Explorer.expectedLoss(name, now, STEPS);
    field("beta").disabled = !RULES[name].hyper;
    for (const key of ["alpha", "beta", "kappa", "sigma"]) field(key).parentElement.querySelector("output").textContent = digits(now[key], 4);
    root.querySelector(".said").textContent = (found.stable
      ? `Stable. An error is multiplied by ${digits(found.radius, 4)} a step: ${digits(found.perDigit)} steps a decimal digit. Noise floor ${digits(found.floor)}.`
      : `Diverges: an error is multiplied by ${digits(found.radius, 4)} a step.`) + ` Stable up to α = ${digits(found.limit, 4)}.`;
    root.querySelector(".pictures").innerHTML = circle(found.ends, RULES[name].color) + curve(losses, found.floor, RULES[name].color);
  }

  form.addEventListener("input", () => { exact = null; show(); });
  field("best").addEventListener("click", () => {
    const name = field("rule").value, kappa = power("kappa"), [alpha, beta] = Explorer.best(name, kappa);
    exact = null;
    exact = { ...setting(), alpha, beta };
    field("alpha").value = Math.log10(alpha);
    field("beta").value = beta;
    show();
  });
  show();
})();
