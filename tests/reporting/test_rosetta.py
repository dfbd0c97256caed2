"""The Rosetta page: whole, self-contained, small, the same every time."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from optlab import norms, rules, schedules
from optlab.libraries import LIBRARIES
from optlab.reporting import rosetta
from optlab.reporting.rosetta import rosetta_report, svg_of


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return rosetta_report(out=tmp_path_factory.mktemp("rosetta"), names=["momentum", "rmsprop", "lion"])


class Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        if tag not in ("meta", "br", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text, names):
    assert len(text.encode()) < 1_000_000
    assert not re.search(r"<script|<link|https?://(?!www\.w3\.org)|@import|url\(", text)
    page = Balance()
    page.feed(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    for name in (*names, *(f"schedule-{n}" for n in schedules.names()), *(f"norm-{n}" for n in norms.names())):
        assert f'id="{name}"' in text
    for name in names:
        assert all(f'id="{name}-{library}"' in text for library in LIBRARIES)
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).split()


def test_a_page_is_whole_and_stands_alone(written):
    check(written.path.read_text(), ["momentum", "rmsprop", "lion"])
    assert list(written.path.parent.iterdir()) == [written.path]


def test_the_page_of_this_repository_is_whole_and_up_to_date(written):
    """Every rule is on it, and what it says of some rules is what is said now."""
    page = (Path(__file__).parents[2] / "reports" / "rosetta" / "index.html").read_text()
    check(page, rules.names())
    mine = re.findall(r"<article .*?</article>", written.path.read_text(), re.S)
    assert len(mine) == 3 + len(schedules.names()) + len(norms.names())
    plain = [re.sub(r"--hue: #\w+", "", article) for article in re.findall(r"<article .*?</article>", page, re.S)]
    for article in mine:
        assert re.sub(r"--hue: #\w+", "", article) in plain


def test_the_findings_are_counted(written):
    counted = [int(n) for n in re.findall(r"\d+", written.findings[0])]
    assert counted[0] == 9 == sum(counted[1:4])
    assert counted[4] == counted[1] + counted[2]


def test_a_picture_is_deterministic_and_says_what_it_shows():
    one = svg_of([1.0, 0.5, 0.25], [1.0, 0.4, 0.1], ("adam", "torch"), "a < b")
    assert one == svg_of([1.0, 0.5, 0.25], [1.0, 0.4, 0.1], ("adam", "torch"), "a < b")
    assert "a &lt; b" in one
    assert "&amp;lt;" not in one
    assert one.count("polyline") == 2
    assert "nan" not in svg_of([1.0, 1.0], [1.0, 1.0], ("a", "b"), "flat")
    assert rosetta.SIGNS.keys() == rosetta.WORDS.keys()
