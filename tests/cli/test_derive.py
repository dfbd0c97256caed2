"""``optlab derive`` and ``optlab theory``: every form of output, and that formulas read back."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sympy as sp

import optlab as ol
from optlab.verify.slack import measure_slack
from tests.cli.conftest import document

LION = f"{Path(ol.__file__).parents[1] / 'examples' / 'lion.py'}:LION"


@pytest.mark.parametrize("rule", ["sgd", "momentum", "momentum(beta=9/10)", "nesterov", "ema_momentum", "momentum(learning_rate=outside)"])
def test_derive_json_reads_back(run, rule):
    code, found = document(run("derive", rule, "--json"))
    assert code == 0
    assert found["linear"] is True
    chosen, mode = ol.rules.get(rule), ol.analyze(rule)
    for row, (left, right) in zip(found["equations"], chosen.equations, strict=True):
        assert ol.sympify(row["symbol"]) == left
        assert ol.sympify(row["expression"]) == right
    assert ol.sympify(found["gradient_at"]) == chosen.gradient_at
    assert ol.sympify(found["transition_matrix"]) == mode.transition_matrix
    assert ol.sympify(found["characteristic_polynomial"]) == mode.characteristic_polynomial.as_expr()
    assert sp.simplify(ol.sympify(found["stability_limit"]) - mode.stability_limit) == 0
    assert sp.simplify(ol.sympify(found["stationary_variance"]) - mode.stationary_variance) == 0
    assert ol.sympify(found["spectral_radius"]) == mode.spectral_radius
    assert set(found["parameters"]) == {str(p) for p in chosen.parameters}


@pytest.mark.parametrize("rule", ["rmsprop", "adam", "adamw", "adam(eps_placement=outside, bias_correction=off)", LION])
def test_derive_json_of_adaptive_rules(run, rule):
    code, found = document(run("derive", rule, "--json"))
    assert code == 0
    assert found["linear"] is False
    assert "stability_limit" not in found
    for row, (_, right) in zip(found["equations"], ol.rules.get(rule).equations, strict=True):
        assert ol.sympify(row["expression"]) == right


def test_derive_prints_code_for_other_libraries(run):
    for option, word in [("--torch", "class Lion(torch.optim.Optimizer):"), ("--optax", "def lion(learning_rate, *,")]:
        code, out, err = run("derive", LION, option)
        assert (code, err) == (0, "")
        compile(out, "generated", "exec")
        assert word in out
    code, out, _ = run("derive", "cosine(peak=0.1, steps=10)", "--torch")
    assert code == 0
    space = {}
    exec(out, space)
    assert space["learning_rate"](5) == pytest.approx(0.05)
    for arguments, words in [
        (("layer_norm", "--torch"), "layer_norm is a normalization"),
        (("cosine", "--optax"), "needs a value for peak"),
        (("adam", "--torch", "--optax"), "exclude each other"),
        (("sgd", "--torch", "--mu", "1"), "mean nothing with it"),
        (("--bounds", "--torch"), "mean nothing with it"),
    ]:
        code, out, err = run("derive", *arguments)
        assert (code, out) == (2, "")
        assert words in err
        assert err.count("\n") == 1


def test_derive_in_words_latex_and_source(run):
    code, out, err = run("derive", "momentum")
    assert (code, err) == (0, "")
    for part in ("v      <-  beta*v - alpha*g", "stability limit", "2*(beta + 1)/lam", "learning_rate", "inside | outside"):
        assert part in out, part
    out = run("derive", "adam")[1]
    for part in ("sharpness threshold", "38/alpha", "2*(beta1 + 1)/(alpha*(1 - beta1))", "reddi end", "(proved)", "no fixed point: "):
        assert part in out, part
    code, out, _ = run("derive", "momentum", "--latex")
    assert code == 0
    assert ol.rules.get("momentum").latex() in out
    assert r"\lambda" in out
    code, out, _ = run("derive", "adam", "--source", "--dtype", "float32")
    assert code == 0
    compile(out, "generated", "exec")
    assert "np.float32" in out


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "ema_momentum"])
def test_derive_json_holds_the_tuning_and_its_certificate(run, rule):
    _, found = document(run("derive", rule, "--json"))
    tuned = ol.analyze(rule).optimal()
    formulas = found["optimal"]["formulas"]
    assert ol.sympify(formulas["alpha"]["expression"]) == tuned.alpha
    assert ol.sympify(formulas["rate"]["expression"]) == tuned.rate
    assert ol.sympify(formulas["equation 1"]["expression"]) == tuned.equations[0]
    assert any("certificate: holds" in note for note in found["optimal"]["notes"])


def test_derive_with_a_spectrum_or_a_curvature(run):
    _, found = document(run("derive", "momentum", "--json", "--mu", "1/4", "--L", "1"))
    assert ol.sympify(found["optimal"]["formulas"]["rate"]["expression"]) == sp.Rational(1, 3)
    _, found = document(run("derive", "sgd", "--json", "--condition-number", "3"))
    assert ol.sympify(found["optimal"]["formulas"]["alpha"]["expression"]) == sp.Rational(1, 2)
    _, found = document(run("derive", "sgd", "--json", "--curvature", "4"))
    assert ol.sympify(found["stability_limit"]) == sp.Rational(1, 2)
    assert "optimal" not in found


@pytest.mark.parametrize("rule", ["adam", "amsgrad", "lion", "adagrad", LION])
def test_derive_json_of_adaptive_statements_reads_back(run, rule):
    _, found = document(run("derive", rule, "--json"))
    adaptive = ol.analyze_adaptive(rule)
    for statement in adaptive.first_step:
        assert ol.sympify(found["first_step"]["formulas"][statement.name]["expression"]) == statement.expression
        assert found["first_step"]["formulas"][statement.name]["status"] == statement.status


@pytest.mark.parametrize("rule", ["adam", "amsgrad", LION])
def test_what_a_statement_needs_is_said_beside_it(run, rule):
    """Reddi's example is of beta1 = 0 and a beta2 of its own, not of the defaults printed above it."""
    _, out, _ = run("derive", rule)
    assert "holds where C > 2; beta1 = 0, beta2 = 1/(1 + C^2)" in out
    _, found = document(run("derive", rule, "--json"))
    assert "C > 2" in found["nonconvergence"]["formulas"]["reddi_end"]["needs"]


def test_no_formula_is_undefined(run, tmp_path):
    """The square of g - m goes to 0 under a constant gradient: with eps inside the memory the effective step is 0/0."""
    path = tmp_path / "belief.py"
    path.write_text(
        "import sympy as sp\n"
        "from optlab.rules import State, Parameter, alpha, g, symbol, theta\n"
        "from optlab.rules.adam import RULE as ADAM\n"
        "m, v, b, eps = (symbol(n) for n in ('m', 'v', 'beta2', 'eps'))\n"
        "BELIEF = ADAM.extend(name='belief', equations=tuple(\n"
        "    (l, b*v + (1 - b)*(g - m)**2 + eps) if l == v else (l, r) for l, r in ADAM.definition))\n"
    )
    _, found = document(run("derive", f"{path}:BELIEF", "--json"))
    assert "effective_step" not in found["first_step"]["formulas"]
    assert any(note.startswith("no effective step: ") and "undefined" in note for note in found["first_step"]["notes"])
    for statement in ol.analyze_adaptive(f"{path}:BELIEF").statements:
        assert not statement.expression.has(sp.nan, sp.zoo)


def test_the_area_of_a_schedule_with_numbers_is_a_number(run):
    _, found = document(run("derive", "cosine(peak=1, steps=10)", "--json"))
    assert found["schedule"]["formulas"]["area"]["expression"] == "11/2"


def test_derive_bounds(run):
    _, found = document(run("derive", "--bounds", "--json"))
    assert list(found["bounds"]) == ol.bounds.names()
    for name, item in found["bounds"].items():
        record = ol.bounds.get(name)
        assert ol.sympify(item["expression"]) == record.expression
        assert (item["tight"], item["reference"], item["assumptions"]) == (record.tight, record.reference, list(record.assumptions))
    code, out, _ = run("derive", "--bounds", "nesterov", "--slack")
    assert code == 0
    assert "nesterov strongly convex" in out
    assert "slack: measured/bound at most" in out
    assert "gradient descent" not in out


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "rms_norm"])
def test_derive_a_normalization(run, name):
    code, out, _ = run("derive", name)
    assert code == 0
    for part in ("backward: dy is the gradient of the output", "scale invariance", "effective learning rate"):
        assert part in out
    _, found = document(run("derive", name, "--json"))
    assert ol.sympify(found["forward"]["formulas"]["xhat"]["expression"]) == ol.norms.get(name).normalized


@pytest.mark.parametrize("arguments", [["adam"], ["momentum"], ["layer_norm"], ["--bounds"]])
def test_derive_latex_and_mathml_of_everything(run, arguments):
    code, out, _ = run("derive", *arguments, "--latex")
    assert code == 0
    assert out.count("{") == out.count("}")
    code, out, _ = run("derive", *arguments, "--mathml")
    assert code == 0
    for line in out.splitlines():
        if line.startswith("<math"):
            ElementTree.fromstring(re.sub(r"&(?!#|amp;|lt;|gt;)\w+;", "", line))  # well-formed


def test_theory_writes_its_page(run, elsewhere, monkeypatch):
    monkeypatch.setattr("optlab.reporting.theory.measure_slack", lambda name, draws: measure_slack(name, draws=3))
    code, found = document(run("theory", "--out", "page", "--json"))
    assert code == 0
    assert found["holds"] is True
    page = (elsewhere / "page" / "index.html").read_text(encoding="utf-8")
    for name in [*ol.rules.names(), *ol.norms.names()]:
        assert f'id="{name}"' in page
    for name in ol.bounds.names():
        assert name.replace("_", " ") in page
    assert "3.162" in page
    assert {path.name for path in (elsewhere / "page" / "figures").iterdir()} == {f"minimax-{what}.png" for what in ("landscape", "rates")}
