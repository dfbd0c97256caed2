"""``optlab rosetta`` and ``optlab verify --against`` as they are typed."""

import json
import sys

import pytest

from optlab.__main__ import main


def run(capsys, *arguments):
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_translation_can_be_pasted(capsys):
    code, out, _ = run(capsys, "rosetta", "torch.optim.RMSprop(lr=0.01, alpha=0.9)", "--to", "optax")
    assert (code, out.splitlines()[0]) == (0, "optax.rmsprop(learning_rate=0.01, eps_in_sqrt=False)")
    assert "proof    by induction" in out


def test_what_is_impossible_says_why_and_where_it_parts(capsys):
    code, out, _ = run(capsys, "rosetta", "torch.optim.RMSprop(lr=0.01, alpha=0.9)", "--to", "keras")
    assert code == 0
    assert "impossible unless eps = 0" in out
    assert "why      eps placement: outside here, inside in keras.optimizers.RMSprop" in out
    assert "parts    step 1, gradient 0.001, learning rate 0.1: theta from 1 to 0.6838 against 0.6985" in out


def test_json_is_one_document(capsys):
    code, out, _ = run(capsys, "rosetta", "adam", "--to", "optax", "--json")
    (found,) = json.loads(out)["translations"]
    assert code == 0
    assert (found["verdict"], found["proved"], found["mapping"]["eps_root"]) == ("mapped", True, "eps")
    for what in ("one_cycle", "batch_norm"):
        code, out, _ = run(capsys, "rosetta", what, "--to", "torch", "--json")
        assert code == 0
        assert json.loads(out)["translations"][0]["verdict"] in ("identical", "mapped")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rosetta", "torch.optim.RMSprop(lr=0.01, alpah=0.9)"], "did you mean 'alpha'"),
        (["rosetta", "adam", "--to", "jax"], "unknown library 'jax'"),
        (["rosetta", "adma"], "unknown rule 'adma'"),
        (["rosetta", "--to", "torch"], "nothing to translate"),
        (["rosetta", "adam", "--report"], "leave the rule"),
        (["verify", "--against", "tensorflow"], "unknown library 'tensorflow'"),
        (["verify", "--against", ","], "names no library"),
        (["verify", "--complete"], "--against"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert not out
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_missing_library_is_not_compared_and_never_passed(capsys, monkeypatch):
    for name in ("torch", "optax", "keras"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    code, out, _ = run(capsys, "verify", "sgd", "cosine", "rms_norm", "--against", "torch,optax,keras", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["failed"] == 0
    assert document["not_compared"] == len(document["compared"]) > 10
    assert all(one["passed"] is None and one["deviation"] is None for one in document["compared"])
    code, out, _ = run(capsys, "verify", "sgd", "--against", "optax", "--complete")
    assert code == 1
    assert "not compared" in out
