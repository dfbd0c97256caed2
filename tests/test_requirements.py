"""What pyproject.toml asks for, what constraints.txt installs, and what constraints-minimal.txt tests say the same."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = {extra: [Requirement(line) for line in lines] for extra, lines in PROJECT["optional-dependencies"].items()}
OPTIONAL = [requirement for requirements in EXTRAS.values() for requirement in requirements]
MINORS = [f"3.{minor}" for minor in range(9, 20)]


def pinned(name: str) -> dict[str, Version]:
    """The versions of a file of constraints, by the names of the packages."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return {canonicalize_name(package): Version(version) for package, version in (line.split("==") for line in lines if line)}


def lowest(requirement: Requirement) -> Version:
    """The one lower bound of a requirement."""
    (bound,) = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    return bound


@pytest.mark.parametrize("requirement", [*NEEDED, *EXTRAS["cluster"], *EXTRAS["tensorboard"]], ids=lambda requirement: requirement.name)
def test_the_oldest_version_that_is_admitted_is_the_one_that_is_tested(requirement):
    version = pinned("constraints-minimal.txt")[canonicalize_name(requirement.name)]
    assert version == lowest(requirement)
    assert version in requirement.specifier


def test_the_oldest_tools_that_are_admitted_are_those_that_test():
    oldest = pinned("constraints-minimal.txt")
    tools = {canonicalize_name(each.name): lowest(each) for each in EXTRAS["dev"] if canonicalize_name(each.name) in oldest}
    assert tools == {name: oldest[name] for name in tools}
    assert "pytest" in tools


@pytest.mark.parametrize("requirement", [*NEEDED, *OPTIONAL], ids=str)
def test_the_versions_that_are_installed_here_are_admitted(requirement):
    version = pinned("constraints.txt")[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_the_interpreters_that_are_admitted_are_those_that_are_claimed():
    admitted = [minor for minor in MINORS if SpecifierSet(PROJECT["requires-python"]).contains(f"{minor}.5")]
    claimed = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith("Programming Language :: Python :: 3.")]
    assert claimed == admitted
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    first, last = (minor.replace(".", ", ") for minor in (admitted[0], admitted[-1]))
    assert f"({first}) <= sys.version_info[:2] <= ({last})" in makefile
