"""The report, end to end on a tiny spec: one page that stands alone, from results that are kept."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import optlab as ol
from optlab import rules
from optlab.errors import InputError, OptlabError
from optlab.experiments.store import Store
from optlab.experiments.sweep import Cell, Runner
from optlab.reporting import mathml, sections
from optlab.reporting.build import report
from optlab.reporting.style import style, svg_text

ROOT = Path(ol.__file__).parents[1]
SPEC = {
    "title": "A <small> report & its title",
    "rules": ["sgd", "momentum", "adam", f"{ROOT / 'examples' / 'lion.py'}:LION"],
    "quadratics": {"kappas": [10, 20], "dim": 3, "steps": 40, "batch": 4, "noise": 0.5, "trajectories": 128},
    "regimes": {"condition_number": 2, "dim": 2, "steps": 400, "trajectories": 96, "replicates": 3},
    "line_fit": {"runs": 4000, "steps": 20, "table_rows": 20},
    "ravine": {"steps": 12},
}
SMALL = SPEC | {"rules": ["sgd"], "quadratics": SPEC["quadratics"] | {"kappas": [10]}}
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect", "circle", "line", "stop", "image"}


class Page(HTMLParser):
    """Every element with its attributes, text by element, and whether tags close in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts, self.trouble = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.trouble.append(tag)

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def find(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self):
        return " ".join(data for inside, data in self.texts if "style" not in inside)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    told = []
    result = report(SPEC, out=folder / "page", store=folder / "cells", progress=lambda *parts: told.append(parts))
    html = result.path.read_text(encoding="utf-8")
    return result, html, Page(html), folder, told


def test_theory_and_simulation_agree(made):
    """False-alarm probability of each section's check 1e-9; the seed is fixed."""
    result = made[0]
    assert result.agrees
    assert all(item["holds"] for item in result.numbers["agreement"])
    assert len(result.numbers["agreement"]) == 2 * 2 + 2 + 4
    assert "DISAGREES" not in made[1]


def test_the_page_stands_alone(made):
    _, html, page, folder, _ = made
    assert html.startswith("<!doctype html>")
    assert page.trouble == []
    assert page.open == []
    assert page.find("script") == page.find("link") == page.find("img") == page.find("iframe") == []
    for tag, attributes in page.elements:
        for key in ("src", "href", "xlink:href", "data", "action", "srcset"):
            value = attributes.get(key)
            if value is None:
                continue
            assert not re.match(r"(?i)\s*(https?:)?//", value), (tag, value)
            if tag == "a" and not value.startswith("#"):
                assert (folder / "page" / value).is_file(), value
        assert not any(key.startswith("on") for key in attributes), (tag, attributes)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_ids_are_unique_and_every_reference_has_its_target(made):
    _, html, page, _, _ = made
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 50
    targets = {
        value[1:] for _, a in page.elements for key, value in a.items() if key in ("href", "xlink:href") and (value or "").startswith("#")
    }
    targets |= set(re.findall(r"url\(#([^)]+)\)", html))
    assert targets <= set(ids), targets - set(ids)
    assert len(targets) > 20


def test_every_rule_shows_its_equations(made):
    _, html, page, _, _ = made
    for name in SPEC["rules"]:
        rule = rules.get(name)
        assert mathml.equations(rule) in html
        assert f"<h3>{rule.name}</h3>" in html
    for name in ("sgd", "momentum"):
        for value in (ol.analyze(name).stability_limit, ol.analyze(name).stationary_variance, ol.analyze(name).transition_matrix):
            assert mathml.mathml(value) in html
    assert len(page.find("math")) >= 4 + 2 * 3
    assert page.find("article")[0]


def test_figures_have_text_alternatives_and_captions(made):
    _, html, page, folder, _ = made
    svgs = page.find("svg")
    assert len(svgs) == len(page.find("figure")) == len(page.find("figcaption")) == 5
    for attributes in svgs:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 30
    names = sorted(path.stem for path in (folder / "page" / "figures").glob("*.png"))
    assert names == ["line-fit", "quadratic-kappa-10", "quadratic-kappa-20", "ravine", "regimes"]
    assert "κ" in html


def test_the_title_is_escaped(made):
    _, html, page, _, _ = made
    assert "<small> report" not in html
    assert "A <small> report & its title" in page.text()


def test_sections_and_findings_are_there(made):
    result, _, page, _, _ = made
    ids = [attributes.get("id") for tag, attributes in page.elements if tag == "section"]
    assert ids == ["definitions", "quadratics", "agreement", "regimes", "ravine", "line", "made"]
    text = " ".join(page.text().split())
    for finding in result.findings:
        assert finding.replace("&amp;", "&") in text
    assert "seed 0" in text
    for word in ("sympy", "numba", "numpy"):
        assert re.search(rf"{word} \d", text)
    spec = next(data for inside, data in page.texts if inside[-1:] == ("pre",))
    assert json.loads(spec)["quadratics"]["kappas"] == [10.0, 20.0]


def test_numbers_of_the_page_are_those_of_the_results(made):
    result, _, page, _, _ = made
    text = page.text()
    for item in result.numbers["quadratics"]:
        assert f"{item['loss']:.4g}" in text
        if item["exact"] is not None:
            assert f"{item['exact']:.4g}" in text
    for row in result.numbers["line_fit"]:
        assert f"{row['mean'][0]:.4f} ± {row['sd'][0]:.4f}" in text


def test_data_files_open_in_xarray(made):
    result, _, _, folder, _ = made
    names = sorted(path.stem for path in (folder / "page").glob("*.nc"))
    assert names == ["line-fit", "quadratic-kappa-10", "quadratic-kappa-20", "regime-inverse_sqrt", "regime-inverse_time"]
    with xr.open_dataset(folder / "page" / "quadratic-kappa-10.nc", engine="scipy") as data:
        assert [str(name).partition("(")[0] for name in data.rule.values] == ["sgd", "momentum", "adam", "lion"]
        finals = [item["loss"] for item in result.numbers["quadratics"] if item["condition_number"] == 10]
        np.testing.assert_array_equal(data.loss_mean[:, -1], finals)
        assert np.isnan(data.loss_exact[2:]).all()
        assert data.loss_exact[:2].notnull().all()
    with xr.open_dataset(folder / "page" / "line-fit.nc", engine="scipy") as data:
        np.testing.assert_array_equal(data["mean"], [row["mean"] for row in result.numbers["line_fit"]])
    with xr.open_dataset(folder / "page" / "regime-inverse_time.nc", engine="scipy") as data:
        assert np.all(data.bound.values[1:] >= data.loss_exact.values[1:])


def test_progress_counts_every_cell(made):
    result, _, _, folder, told = made
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert {total for _, total, _ in told} == {result.computed + result.read}
    assert told[-1][:2] == (result.computed + result.read,) * 2
    assert len(Store(folder / "cells").specs()) <= result.computed


def test_a_second_run_reads_everything_and_says_the_same(made):
    result, html, _, folder, _ = made
    again = report(SPEC, out=folder / "page", store=folder / "cells")
    assert (again.computed, again.read) == (0, result.computed + result.read)
    assert json.dumps(again.numbers, sort_keys=True) == json.dumps(result.numbers, sort_keys=True)
    assert again.findings == result.findings

    def settled(text):
        return re.sub(r"\d+ s on this run \(\d+ computed, \d+ read from the store\)", "", text)

    assert settled(again.path.read_text(encoding="utf-8")) == settled(html)


def test_an_interrupted_report_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = report(SMALL, out=tmp_path / "whole", store=tmp_path / "one")
    left, call = [7], Runner.__call__

    def interrupted(self, cells):
        def broken(cell):
            def compute():
                if left[0] == 0:
                    raise KeyboardInterrupt
                left[0] -= 1
                return cell.compute()

            return Cell(cell.name, cell.spec, compute)

        return call(self, [broken(cell) for cell in cells])

    with monkeypatch.context() as patch:
        patch.setattr(Runner, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            report(SMALL, out=tmp_path / "page", store=tmp_path / "two")
    assert not (tmp_path / "page" / "index.html").exists()
    resumed = report(SMALL, out=tmp_path / "page", store=tmp_path / "two")
    assert (resumed.computed, resumed.read) == (whole.computed - 7, whole.read + 7)
    assert {k: v for k, v in resumed.numbers.items() if k != "report"} == {k: v for k, v in whole.numbers.items() if k != "report"}


def test_the_page_says_so_where_a_check_fails(tmp_path, monkeypatch, capsys):
    from optlab.__main__ import main
    from optlab.experiments import comparison

    real = comparison.compare
    monkeypatch.setattr(
        comparison, "compare", lambda run, exact, **options: real(run, exact.assign(loss_mean=exact.loss_mean * 1.9), **options)
    )
    spec = tmp_path / "spec.toml"
    spec.write_text(
        "rules = ['sgd']\n[quadratics]\nkappas = [10]\ndim = 3\nsteps = 40\nbatch = 4\ntrajectories = 128\n"
        "[regimes]\ncondition_number = 2\ndim = 2\nsteps = 100\ntrajectories = 96\nreplicates = 3\n"
        "[line_fit]\nruns = 4000\nsteps = 20\ntable_rows = 20\n[ravine]\nsteps = 12\n"
    )
    code = main(["report", str(spec), "--out", str(tmp_path / "page"), "--store", str(tmp_path / "cells")])
    out, err = capsys.readouterr()
    assert code == 1
    assert "DISAGREES with the exact prediction" in out
    assert err == ""
    html = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert '<span class="bad">DISAGREES</span>' in html
    assert "Simulation DISAGREES with the exact prediction" in html
    assert html.count('<span class="good">agrees</span>') >= 5  # the others still do


def test_a_table_of_ones_own_is_a_section(tmp_path):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 2))
    lines = ["a,b,y", *(f"{p:.6f},{q:.6f},{2 * p - q + 0.1 * r:.6f}" for (p, q), r in zip(x, rng.normal(size=40), strict=True))]
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    spec = SMALL | {"table": {"path": str(tmp_path / "mine.csv"), "target": "y", "batch": 4}}
    result = report(spec, out=tmp_path / "page", store=tmp_path / "cells")
    html = result.path.read_text(encoding="utf-8")
    page = Page(html)
    assert page.trouble == []
    assert "mine.csv" in page.text()
    assert len(page.find("svg")) == 5
    assert result.numbers["table"]["n"] == 40
    assert result.findings[-1].startswith("mine.csv: condition number")
    with xr.open_dataset(tmp_path / "page" / "table.nc", engine="scipy") as data:
        assert data.sizes


# --- pieces ---


def test_numbers_in_figures_are_not_cut():
    """Coordinates of paths are shortened; what people read is not."""
    with style():
        figure = Figure(figsize=(3, 2))
        ax = figure.subplots()
        ax.plot([0, 1], [0.123456789, 1])
        ax.set_title("α = 0.0316, version 1.23456, d = 0.98765")
        svg = svg_text(figure)
    assert "α = 0.0316, version 1.23456, d = 0.98765" in svg
    paths = re.findall(r' d="([^"]*)"', svg)
    assert paths
    assert not any(re.search(r"\.\d{3,}", path) for path in paths)


def test_learning_rates_of_the_page_are_whole(made):
    result, html, _, _, _ = made
    for item in result.numbers["quadratics"]:
        assert f"α = {item['alpha']:g}" in html  # in the title of its panel


def test_figures_are_the_same_every_time():
    def one():
        with style():
            figure = Figure(figsize=(3, 2))
            figure.subplots().plot([0, 1, 3], label="x")
            return svg_text(figure)

    assert one() == one()


def test_rule_cards_state_what_was_derived():
    (card,) = sections.rule_cards([rules.get("momentum")], [100.0])
    facts = dict(card["facts"])
    assert facts["stable for 0 < α <"] == mathml.mathml(ol.analyze("momentum").stability_limit)
    assert facts["best at κ = 100"] == "α = 3.306, β = 0.6694: error × 0.81818 per step"
    (plain,) = sections.rule_cards([rules.get("adam")], [100.0])
    assert "no transition matrix" in plain["note"]
    assert "stable for 0 < α <" not in dict(plain["facts"])
    (bound,) = sections.rule_cards([rules.get("momentum(beta=1/2)")], [100.0])
    assert "only α is tuned" in bound["note"]


def test_bad_specs_are_refused_before_any_work(tmp_path):
    for spec, message in (
        (SMALL | {"rules": ["adem"]}, "unknown rule 'adem'"),
        (SMALL | {"rules": ["sgd", "sgd"]}, "named twice"),
        (SMALL | {"table": {"path": str(tmp_path / "gone.csv"), "target": "y"}}, "gone.csv"),
        (SMALL | {"extra": 1}, "unknown key 'extra'"),
    ):
        with pytest.raises(InputError, match=message):
            report(spec, out=tmp_path / "page", store=tmp_path / "cells")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptlabError, match=r"cannot write to .*--out") as caught:
        report(SMALL, out=tmp_path / "file", store=tmp_path / "cells")
    assert "\n" not in str(caught.value)
