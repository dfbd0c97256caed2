"""Pages for everyone: keyboard, screen reader, small screens; all of it read off the committed pages themselves."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob("reports/*/index.html"))
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
MOST_BYTES = 1_200_000  # of a page, which is one request: what a phone loads in a few seconds on a slow connection (1.6 Mbit/s: 6 s)


class Reader(HTMLParser):
    """The elements of a page, each (tag, attributes, text); None where a tag is not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = [tag, dict(attributes), ""]
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append((tag, self.getpos()))
        else:
            self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element[2] += data

    def all(self, *tags):
        return [element for element in self.elements if element[0] in tags]


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: page.parent.name)
def page(request):
    return Reader(request.param.read_text(encoding="utf-8")), request.param


def test_pages_are_there():
    assert {page.parent.name for page in PAGES} >= {"convergence", "condition", "claims", "rosetta", "cifar10", "theory"}


def test_every_tag_is_closed_and_every_name_is_one(page):
    reader, _ = page
    assert reader.wrong == []
    assert reader.open == []
    names = [attributes["id"] for _, attributes, _ in reader.elements if "id" in attributes]
    assert len(names) == len(set(names))


def test_the_page_says_what_it_is(page):
    reader, _ = page
    assert reader.all("html")[0][1]["lang"] == "en"
    assert len(reader.all("title")[0][2]) > 5
    assert len(reader.all("h1")) == 1
    assert any(attributes.get("name") == "viewport" for _, attributes, _ in reader.all("meta"))
    levels = [int(tag[1]) for tag, _, _ in reader.all("h1", "h2", "h3", "h4")]
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels


def test_figures_and_controls_have_words(page):
    reader, _ = page
    for tag, attributes, text in reader.all("svg", "img"):
        words = attributes.get("aria-label") or attributes.get("alt") or ""
        assert attributes.get("aria-hidden") == "true" or len(words) > 15, (tag, attributes, text[:60])
    labeled = {attributes.get("for") for _, attributes, _ in reader.all("label")}
    around = " ".join(text for _, _, text in reader.all("label"))
    for tag, attributes, _ in reader.all("input", "select", "textarea"):
        assert attributes.get("aria-label") or attributes.get("id") in labeled or around, (tag, attributes)
    for tag, _, text in reader.all("a", "button", "summary"):
        assert text.strip(), tag


def test_the_keyboard_reaches_everything(page):
    """What reacts to a click is a link, a button, a control or a summary; what scrolls sideways by itself can be focused."""
    reader, _ = page
    for tag, attributes, _ in reader.elements:
        assert "onclick" not in attributes
        assert int(attributes.get("tabindex", 0)) <= 0, "an order of its own"
        if attributes.get("class") == "scroll":
            assert attributes.get("tabindex") == "0", (tag, attributes)
            assert attributes.get("role") == "region", (tag, attributes)
            assert len(attributes.get("aria-label") or "") > 3, (tag, attributes)


def test_links_lead_somewhere_and_nothing_is_asked_of_the_network(page):
    reader, path = page
    names = {attributes.get("id") for _, attributes, _ in reader.elements}
    for tag, attributes, _ in reader.elements:
        for key in ("src", "srcset", "data", "poster"):
            assert not re.match(r"(https?:)?//", attributes.get(key) or ""), (tag, attributes)
        assert tag not in ("link", "iframe", "object", "embed")
    for _, attributes, text in reader.all("a"):
        target = attributes["href"]
        if target.startswith("#"):
            assert target[1:] in names, (target, text)
        elif not re.match(r"https?:", target):
            assert (path.parent / target.split("#")[0]).exists(), (target, text)


def test_a_page_is_light(page):
    _, path = page
    assert path.stat().st_size < MOST_BYTES
