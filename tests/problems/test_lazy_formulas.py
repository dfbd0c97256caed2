"""Problems do not import SymPy until an expression is read, and have the same fingerprints whether it is read or kept."""

import copy
import dataclasses
import json
import pickle

import pytest
import sympy as sp

from optlab import problems
from optlab.formulas import Formula
from optlab.objectives import Expression, Fresh, Rows, Separable, Start
from optlab.symbols import lam, symbol, y, z
from tests.kept import PACKAGE, copied, process, replace

MADE = {
    "quadratic": "problems.quadratic(condition_number=100, dim=10, noise=1.0)",
    "rotated": "problems.quadratic(spectrum=[1.0, 2.0], rotation=3)",
    "by text": "problems.get('quadratic(condition_number=100, dim=3)')",
    "heavy tails": "problems.quadratic(spectrum=[1.0], noise=1.0, noise_law='student_t')",
    "line_fit": "problems.line_fit()",
    "line_fit, full": "problems.line_fit(slope=3, label_noise=0.1, convention='full')",
    "least_squares": "problems.least_squares([[1.0], [2.0]], [1.0, 2.0])",
    "least_squares, full": "problems.least_squares([[1.0], [2.0]], [1.0, 2.0], convention='full', sampling='subset')",
    "logistic_regression": "problems.logistic_regression([[1.0], [2.0]], [0, 1])",
    "huber_regression": "problems.huber_regression([[1.0], [2.0]], [0, 1], width=2)",
}
SYMBOLIC = {
    "symbolic": "problems.symbolic('x**2 + w**4', noise=0.5)",
    "symbolic, ordered": "problems.symbolic('x**2 + w**4', coordinates=['x', 'w'])",
}
#: Of version 0.1, whose records held their expressions.
FINGERPRINTS = {
    "quadratic": "6ed6a718c7618449",
    "by text": "6caf0e5716578c17",
    "line_fit": "4313ce536d87344b",
    "least_squares": "a90ca4d1c597296e",
    "symbolic": "b79133627d6a4653",
}


def described(cache, package=PACKAGE, **environment):
    """Fingerprint and label of every problem, whether each that can be is quadratic, and whether SymPy was imported."""
    lines = ["import json, sys", "from optlab import problems", "made = {}"]
    lines += [f"made[{name!r}] = {text}" for name, text in (MADE | SYMBOLIC).items()]
    lines.append("facts = {n: [p.fingerprint, p.label(), p.dim, getattr(p, 'is_quadratic', None), p.minimum] for n, p in made.items()}")
    lines.append("print(json.dumps([facts, 'sympy' in sys.modules]))")
    return process("\n".join(lines), cache, package, **environment)


def test_making_a_problem_imports_neither_sympy_nor_numpy(tmp_path):
    lines = ["import json, sys", "from optlab import problems", *MADE.values()]
    lines.append("print(json.dumps([name for name in ('sympy', 'numpy', 'numba') if name in sys.modules]))")
    assert process("\n".join(lines), tmp_path) == []


def test_a_second_process_knows_the_same_without_sympy(tmp_path):
    first, imported = described(tmp_path)
    assert imported
    assert described(tmp_path) == [first, False]
    assert described(tmp_path, OPTLAB_DERIVE="anew") == [first, True]
    (tmp_path / "file").write_text("")
    assert described(tmp_path / "file") == [first, True]  # a folder that cannot be made
    for name, fingerprint in FINGERPRINTS.items():
        assert first[name][0] == fingerprint


def test_damaged_files_are_computed_anew(tmp_path):
    first, _ = described(tmp_path)
    files = sorted((tmp_path / "facts").iterdir())
    assert len(files) > 5
    for number, file in enumerate(files):
        text = file.read_text()
        damaged = [text[: len(text) // 2], "", "[]", text.replace("Symbol", "Simbol").replace("coordinates", "coordinate"), "{}", "\0"]
        file.write_text(damaged[number % len(damaged)])
    assert described(tmp_path) == [first, True]
    assert described(tmp_path) == [first, False]


def test_a_changed_definition_is_another_key(tmp_path):
    """The same mathematics keeps its fingerprint, another has another; neither meets what was kept of the file before."""
    package, cache = copied(tmp_path), tmp_path / "cache"
    first, _ = described(cache, package)
    kept = set((cache / "facts").iterdir())
    file = package / "problems" / "quadratic.py"
    original = file.read_text()
    file.write_text(original + "\n# a comment\n")
    assert described(cache, package) == [first, True]
    assert len(set((cache / "facts").iterdir())) == 2 * len(kept)
    replace(file, "return lam * z**2 / 2", "return lam * z**4 / 4")
    changed, imported = described(cache, package)
    assert imported
    differ = {name for name in first if first[name] != changed[name]}
    assert differ == {"quadratic", "rotated", "by text", "heavy tails"}
    assert not changed["quadratic"][3]
    file.write_text(original)
    assert described(cache, package) == [first, False]


# --- in this process ---


@pytest.fixture(params=MADE | SYMBOLIC)
def made(request):
    return eval((MADE | SYMBOLIC)[request.param], {"problems": problems})


def by_hand(problem):
    """The same record with its expressions given."""
    return dataclasses.replace(problem)


def test_a_record_of_expressions_is_the_same_problem(made):
    given = by_hand(made)
    assert made.form is not None
    assert given.form is None
    assert given == made
    assert hash(given) == hash(made)
    assert given.fingerprint == made.fingerprint
    assert repr(given) == repr(made)
    assert given.expressions() == made.expressions()
    if hasattr(made, "is_quadratic"):
        assert given.is_quadratic == made.is_quadratic
    assert json.loads(json.dumps(made.form))


def test_records_are_pickled_and_copied(made):
    for other in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert other == made
        assert other.form == made.form
        assert other.loss == made.loss
    given = pickle.loads(pickle.dumps(by_hand(made)))
    assert given == made


def test_records_stay_frozen(made):
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.loss = z


def test_expressions_of_built_in_problems():
    fit = problems.line_fit(slope=0.5, label_noise=0.25)
    x, e = symbol("x"), symbol("e")
    assert (fit.uniform, fit.normal, fit.features, fit.coordinates) == (x, e, (x, 1), (symbol("w"), symbol("b")))
    assert fit.target == x / 2 + 1 + e / 4
    assert fit.loss == (z - y) ** 2 / 2
    assert problems.quadratic(spectrum=[1.0]).loss == lam * z**2 / 2
    assert problems.symbolic("x*w**2", coordinates="xw").coordinates == (x, symbol("w"))
    assert problems.quadratic(spectrum=[1.0]).loss is problems.quadratic(spectrum=[2.0]).loss


def test_another_loss_is_another_problem():
    """What is kept belongs to the formulas: a replaced one, or another class, is not mistaken for it."""
    built = problems.quadratic(spectrum=[1.0])
    changed = dataclasses.replace(built, loss=lam * z**4 / 4)
    assert changed.form is None
    assert changed != built
    assert not changed.is_quadratic

    class Steeper(Separable):
        def expressions(self):
            return {role: 2 * formula for role, formula in super().expressions().items()}

    mine = Steeper(name="mine", dim=1, start=Start((1.0,)), loss=vars(built)["loss"], spectrum=(1.0,))
    assert mine.form is None
    assert mine.fingerprint != built.fingerprint
    elsewhere = dataclasses.replace(built, loss=Formula(max, (2, 3)))
    assert elsewhere.form is None


@pytest.mark.parametrize("record", [Separable, Rows, Fresh, Expression])
def test_expressions_have_no_default(record):
    for name in record.written:
        assert not hasattr(record, name)
    with pytest.raises(TypeError, match="loss"):
        record(name="none", dim=1, start=Start((0.0,)))


def test_the_least_loss_of_a_line_fit():
    for sigma in (0.0, 0.1, 1.5, 1e-200):
        exact = sp.Rational(str(sigma)) ** 2
        assert problems.line_fit(label_noise=sigma).minimum == float(exact / 2)
        assert problems.line_fit(label_noise=sigma, convention="full").minimum == float(exact)
    assert problems.line_fit(label_noise=1e200).minimum == float("inf")
