"""Pages in a real browser: no error, no request to anywhere, every formula and figure has a size, sliders do what Python says.

Run by ``make browser``, which needs Chromium; the numbers behind the sliders are tested without one in test_explorer.
"""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import optlab as ol
from optlab.symbols import alpha, lam

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("reports/*/index.html"), *ROOT.glob("docs/_build/html/*.html"), *ROOT.glob("docs/_build/html/reference/rules/*.html")]
)
PROBE = """
<script>
window.addEventListener("error", event => (window.failed = (window.failed || []).concat(String(event.message))));
window.addEventListener("load", () => setTimeout(() => {
  PREPARE
  const size = e => { const b = e.getBoundingClientRect(); return b.width * b.height; };
  const shown = e => e.closest("details:not([open])") === null && e.getClientRects().length > 0;
  const seen = [...document.querySelectorAll("math, figure svg, main img, article img")].filter(shown);
  const report = { errors: window.failed || [], shown: seen.length, empty: seen.filter(e => size(e) < 4).length,
    outside: performance.getEntriesByType("resource").map(r => r.name).filter(n => /^https?:/.test(n)),
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth, found: FOUND };
  document.body.innerHTML = ""; document.title = "probed";
  const pre = document.createElement("pre"); pre.id = "report"; pre.textContent = JSON.stringify(report); document.body.append(pre);
}, 300));
</script>
"""


def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "no Chromium on the path: install it, or run the other tests alone"
    return found


def look(page: Path, width: int = 1200, prepare: str = "", found: str = "null", dark: bool = False) -> dict:
    """Load a page with a probe at its head; what the probe reports. ``dark``: as those see it whose screens are dark."""
    text = page.read_text(encoding="utf-8")
    if dark:
        text = text.replace("(prefers-color-scheme: dark)", "all")
    probe = PROBE.replace("PREPARE", prepare).replace("FOUND", found)
    copy = page.with_name(f".probed-{page.name}")
    copy.write_text(text.replace("<head>", "<head>" + probe, 1), encoding="utf-8")
    try:
        command = [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", f"--window-size={width},900"]
        out = subprocess.run([*command, "--dump-dom", copy.as_uri()], capture_output=True, text=True, timeout=120, check=False).stdout
    finally:
        copy.unlink()
    match = re.search(r'<pre id="report">(.*?)</pre>', out, re.S)
    assert match, f"{page}: the probe did not answer"
    return json.loads(match[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@pytest.mark.parametrize("width", [1200, 500])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_whole(page, width):
    report = look(page, width)
    assert report["errors"] == []
    assert report["outside"] == []
    assert report["empty"] == 0
    assert report["wide"] <= 0, "it scrolls sideways"


#: How the contrast of every piece of text with what lies behind it is measured (WCAG 2.2, 1.4.3): the lowest, and the text.
CONTRAST = """
(() => {
  const read = color => (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = e => {
    for (let at = e; at; at = at.parentElement) {
      const color = read(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  let lowest = [99, ""];
  for (const e of document.querySelectorAll("body *:not(svg *):not(script):not(style)")) {
    const words = [...e.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim()).map(n => n.textContent.trim()).join(" ");
    const style = getComputedStyle(e);
    if (!words || e.getClientRects().length === 0 || style.visibility === "hidden" || e.closest("svg")) continue;
    const [one, other] = [light(read(style.color)), light(behind(e))];
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05) * (large ? 1.5 : 1);
    if (ratio < lowest[0]) lowest = [ratio, e.tagName + "." + e.className + ": " + words.slice(0, 60)];
  }
  return lowest;
})()
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_text_stands_out(page, dark):
    """Contrast of at least 4.5 (3 for large text) with the background, in both color schemes."""
    theme = "dark" if dark else "light"
    prepare = f"document.body.dataset.theme = '{theme}';"  # of the documentation; reports follow the screen
    report = look(page, prepare=prepare, found=CONTRAST, dark=dark)
    assert 4.5 <= report["found"][0] <= 21, report["found"]


@pytest.mark.parametrize(("name", "rate", "beta"), [("sgd", 0.5, 0.0), ("momentum", 0.1, 0.9), ("nesterov", 1.0, 0.5)])
def test_moving_the_sliders_gives_what_python_derives(name, rate, beta):
    prepare = f"""
      const form = document.querySelector("#explorer form"), put = (key, value) => {{ form.elements[key].value = value; }};
      put("rule", "{name}"); put("alpha", Math.log10({rate})); put("beta", {beta}); put("kappa", 2); put("sigma", -2);
      form.dispatchEvent(new Event("input", {{ bubbles: true }}));
    """
    found = 'document.querySelector("#explorer .said").textContent'
    said = look(ROOT / "reports" / "theory" / "index.html", prepare=prepare, found=found)["found"]
    at = {alpha: 10 ** round(math.log10(rate), 2)}  # sliders move in steps of 0.01 decades
    rule = ol.rules.get(name)
    mode = ol.analyze(rule.with_(beta=beta) if "beta" in map(str, rule.parameters) else rule)
    steps = [np.array(mode.transition_matrix.subs(at | {lam: curvature}), float) for curvature in (1.0, 0.01)]
    radius = max(np.abs(np.linalg.eigvals(step)).max() for step in steps)
    assert f"multiplied by {radius:.4g} a step" in said
