"""Bad inputs, each with what its one line must say: the table of ``test_bad_inputs.py``. The files that rows name are made by ``place``.

A row is a name, the command (or the call, in Python) and a regular expression that its line must match: the offending value or file, and
the mend. A third entry names a fault of the machine: an ``errno`` that writing meets, or a package that is not installed.
"""

# ruff: noqa: E501 (a row is a line)

from __future__ import annotations

import errno
import io
import pickle
from pathlib import Path

import numpy as np
import xarray as xr

import optlab as ol
from optlab.experiments.store import Store

QUADRATIC = "quadratic(condition_number=10, dim=3)"
SIMULATE = "simulate --steps 3 --trajectories 64 --alpha 0.1"
TRAIN = "train linear --data data.csv --target z --schedule constant --alpha 0.1 --epochs 2"

COMMANDS = {
    # --- the command line itself ---
    "unknown command": ("simulat", "no such command 'simulat'"),
    "unknown option": ("simulate --alhpa 0.1", "--alhpa.*--alpha"),
    "option without value": ("simulate --steps 3 --alpha", "invalid value ('--json' for '--alpha'|for '--alpha': .*'--json')"),
    "text for a number": ("simulate --alpha much", "invalid value ('much' for '--alpha'|for '--alpha': .*'much')"),
    "a number with an exponent for a count": ("simulate --alpha 0.1 --steps 1e3", "invalid value ('1e3' for '--steps'|for '--steps': .*'1e3')"),
    "superfluous argument": ("doctor please", "please"),
    "quiet and verbose": ("doctor --quiet --verbose", "--quiet and --verbose exclude each other: give one"),
    # --- names and calls ---
    "unknown rule": ("derive adem", "unknown rule 'adem'; did you mean 'adam'"),
    "unknown schedule": ("simulate --schedule cosin(peak=1,steps=3)", "unknown schedule 'cosin'; did you mean 'cosine'"),
    "unknown problem": ("simulate --alpha 0.1 --problem quadratc()", "unknown problem 'quadratc'; did you mean 'quadratic'"),
    "unknown option of a problem": (["simulate", "--alpha", "1", "--problem", "saddle(stif=2)"], "option of saddle 'stif'; did you mean 'stiff'"),
    "batch norm of one value": (
        "train mlp(norm=batch) --data synthetic(size=64) --batch 1 --alpha 0.1", "batch = 1 leaves batch normalization one value a channel"
    ),
    "unknown norm": ("train resnet20(norm=bach) --data synthetic(size=8) --alpha 1", "norm = 'bach' is none of batch, layer"),
    "unknown model": ("train resnet21 --data synthetic(size=8) --alpha 1", "unknown model 'resnet21'; did you mean"),
    "unknown data": ("data show synthtic", "unknown data 'synthtic'; did you mean 'synthetic'"),
    "unknown preset": ("grid --preset quik --out g", "unknown preset 'quik'; did you mean 'quick'"),
    "unknown backend": ("simulate --alpha 0.1 --backend tpu", "unknown backend 'tpu'; did you mean 'cpu'"),
    "unknown library": ("rosetta adam --to jaxx", "unknown library 'jaxx' .known: torch, optax, keras"),
    "unknown call of a library": ("rosetta torch.optim.Adma(lr=1)", "torch.optim.Adma"),
    "letters of another alphabet": ("derive möment", "unknown rule 'möment'; did you mean 'momentum'"),
    "unclosed call": ("derive adam(beta1=0.5", "cannot read 'adam.beta1=0.5'"),
    "a call nested too deeply": ("derive adam(beta1=" + "-" * 5000 + "1)", "cannot read 'adam.*it is nested too deeply"),
    "an option twice": (["derive", "adam(beta1=0.5, beta1=0.6)"], "cannot read .*beta1 is given twice"),
    "arithmetic in a call": (["derive", "momentum(beta=2**-1)"], "2 .. .-1. is no plain value"),
    "code in a call": (["derive", "momentum(beta=__import__('os').getcwd())"], "cannot read"),
    # --- numbers out of range ---
    "zero steps of a schedule": ("simulate --schedule cosine(peak=1,steps=0)", r"steps = 0 is out of range: it must lie in \[1"),
    "negative learning rate": ("simulate --alpha -1", r"alpha = -1.0 is out of range: it must lie in \[0"),
    "nan learning rate": ("simulate --alpha nan", "alpha = nan is not a finite number"),
    "negative peak": ("train mlp --data synthetic(size=8) --alpha -1", "peak = -1.0 is out of range"),
    "zero learning rate in a grid": ("grid zero.toml --out g", r"zero.toml: 1 = 0.0 in \[rates\]: input should be greater than 0"),
    "negative eps": ("derive adam(eps=-1)", r"adam: eps = -1 is out of range: it must lie in \[0, oo\)"),
    "beta of one": ("derive momentum(beta=1)", r"momentum: beta = 1 is out of range: it must lie in \[0, 1\)"),
    "beta that is infinite": ("derive adam(beta1=1e400)", "beta1 = inf is not a finite number"),
    "beta of very many digits": ("derive adam(beta1='1e-999999999')", "beta1 = '1e-999999999' has too many digits"),
    "a fraction over zero": ("derive adam(beta1=1/0)", "beta1 = '1/0' is not a finite number"),
    "condition number below one": (["simulate", "--alpha", "1", "--problem", "quadratic(condition_number=0.5)"], "condition_number = 0.5"),
    "kappa below one in a spec": ("condition --set kappas=[10,0.5] --store kept", "0.5 in .kappas.: input should be greater"),
    "negative noise": (["simulate", "--alpha", "1", "--problem", "quadratic(condition_number=2, dim=3, noise=-1)"], "noise = -1"),
    "an enormous dimension": (["simulate", "--alpha", "1", "--problem", "quadratic(condition_number=2, dim=1000000000000)"], "dim = 1000000000000"),
    "a power of very many digits": (["simulate", "--alpha", "1", "--problem", "symbolic('9**9**9*x')"], "9.*387420489.* has too many digits"),
    "a million million steps": ("simulate --alpha 0.1 --steps 1000000000000", "steps .*2.32|2.32 trajectories or steps"),
    "no trajectories": ("simulate --alpha 0.1 --trajectories 0", "trajectories = 0 must be a whole number of at least 1"),
    "an enormous batch": (["simulate", "--alpha", "1", "--batch", "1" + "0" * 30], "batch = 10+ is more than 2.53"),
    "more than the memory": ("simulate --alpha 0.1 --trajectories 4000000000 --keep 4000000000", "need about .* MB, and .* are allowed: "),
    "an enormous number of epochs": ("train linear --data data.csv --target z --alpha 1 --epochs 1000000000000", "epochs = 1000000000000 must be at most"),
    "memory below nothing": ("simulate --alpha 0.1 --memory -5GB", "--memory '-5GB' must be a positive size"),
    "memory that is no number": ("simulate --alpha 0.1 --memory nan", "--memory 'nan' must be a positive size"),
    "negative seed": ("simulate --alpha 0.1 --seed -1", "-1 is no seed: give a whole number of at least 0"),
    "negative axis": ("simulate --alpha 0.1 --axis alpha=-1", "alpha = -1 is out of range"),
    "unknown axis": ("simulate --alpha 0.1 --axis alhpa=1,2", "unknown axis 'alhpa'; did you mean 'alpha'"),
    "a range of claims that goes down": ("claims --only 5-1", "'5-1' is no number of a claim; give such as"),
    "no such claim": ("claims --only 99", "there is no claim 99: claims are 1-22"),
    "commas only": ("claims --only ,", "--only ',' names no claim"),
    # --- specs ---
    "empty spec with a wrong table": ("report wrong.toml", r"unknown key 'stepss' in \[quadratics\]; did you mean 'steps'"),
    "a misspelt key that is needed": ("report problem.toml", r"problem.toml: unknown key 'problm' in \[problem.0\]; did you mean 'problem'"),
    "a byte-order mark hides no key": ("report bom.toml", "bom.toml: unknown key 'zzz'"),
    "a spec in another encoding": ("report latin.toml", "latin.toml, line 2: not UTF-8 text; save the file as UTF-8"),
    "a spec nested too deeply": ("report deep.toml", "deep.toml: not valid TOML: it is nested too deeply"),
    "a number of thousands of digits": ("report digits.toml", "digits.toml: not valid TOML: a whole number has too many digits"),
    "the same of one key": (["condition", "--set", "seed=" + "9" * 5000], "seed = '9999"),
    "huge steps in a spec": ("report huge.toml", r"huge.toml: steps = 1000000000000 in \[quadratics\]"),
    "a folder for a spec": ("report folder", "the spec 'folder' is a folder; name the TOML file in it"),
    "no such spec": ("grid gone.toml", "there is no spec file 'gone.toml'"),
    "text for a list": ("report text.toml", "text.toml: rules = 'sgd': input should be a valid list"),
    "a rule in a spec": ("condition --set rules=['sdg'] --store kept", "unknown rule 'sdg'; did you mean 'sgd'"),
    "a table of a spec that is a folder": ("report table.toml", "folder is a folder; name the CSV file in it"),
    # --- tables ---
    "empty table": ("advise empty.csv --target z", "empty.csv: the file is empty; it needs a header line"),
    "header only": ("advise header.csv --target z", "header.csv: there is a header but no row under it; add"),
    "one row": ("advise row.csv --target z", "row.csv: only one row of numbers; a fit needs at least two"),
    "duplicate columns": ("advise twice.csv --target z", "twice.csv, line 1: columns 1 and 2 are both named 'x'; rename one"),
    "nan cell": ("advise nan.csv --target z", "nan.csv, line 2, column 'z': nan is no number; correct it, or drop"),
    "constant target": ("advise constant.csv --target z", "constant.csv: column 'z' is 2 in every row.*choose another target"),
    "missing target": ("train linear --data data.csv --alpha 0.1", "data.csv: which column is the target. Name one of 'x', 'y', 'z'"),
    "unknown target": ("advise data.csv --target zz", "no column is named 'zz'; did you mean 'z'"),
    "a folder for a table": ("advise folder --target z", "folder is a folder; name the CSV file in it"),
    "spreadsheet": ("advise sheet.csv --target z", "sheet.csv: this is a spreadsheet or an archive.*export"),
    "UTF-16": ("advise wide.csv --target z", "wide.csv: the text is UTF-16; save it as UTF-8"),
    "decimal commas": ("advise comma.csv --target z", "comma.csv, line 2, column 'x': '0,5' is text.*decimal point"),
    "images for a table model": ("train linear --data synthetic(size=8) --alpha 0.1", "linear learns numbers, and synthetic textures"),
    # --- definitions in files ---
    "syntax error": ("derive syntax.py:MINE", "'syntax.py:MINE': the file fails with SyntaxError: .*line 1"),
    "no such name": ("derive good.py:MIEN", "unknown name in good.py 'MIEN'; did you mean 'MINE'"),
    "wrong type": ("derive good.py:NUMBER", "'good.py:NUMBER' is a int, not a Rule"),
    "a file that exits": ("derive exits.py:MINE", "'exits.py:MINE': the file fails with SystemExit: 3"),
    "a missing import": ("derive imports.py:MINE", "imports.py.*No module named 'not_there'"),
    "a folder for a rule": ("derive folder:MINE", "there is no file 'folder'; give path/to/file.py:NAME"),
    "a rule's file in another encoding": ("derive latin.py:MINE", "latin.py:MINE.*SyntaxError.*utf-8"),
    # --- where results go ---
    "output is a folder": (f"{SIMULATE} --out folder.nc", "--out folder.nc: folder.nc is a folder; name another file"),
    "the figure is a folder": (f"{SIMULATE} --out run.nc", "--out run.nc: run.png is a folder; name another file"),
    "no such folder": (f"{TRAIN} --out none/run.nc", "--out none/run.nc: there is no folder 'none'; make it first"),
    "wrong ending": ("ravine --out a.txt", "--out a.txt must end in .nc: the result is a netCDF file"),
    "a file for the folder of a page": ("report --out file", "file.*folder"),
    "a file for a store": ("condition --store file", "cannot make the store file: File exists; name a folder"),
    "a store that is not there": ("runs list --store nowhere", "there is no store 'nowhere': name its folder"),
    "an export into a folder": ("runs export --all --format csv --out folder --store kept", "--out folder is a folder: name the CSV file"),
    "disk full": ("runs export --all --store kept --out copy.nc", "copy.nc.*No space left on device", errno.ENOSPC),
    "no permission": ("runs export --all --store kept --format csv --out copy.csv", "copy.csv.*Permission denied", errno.EACCES),
    "no permission for a page": ("report tiny.toml --out page --store kept", "page/index.html: Read-only file system; name a place", errno.EROFS),
    # --- damaged files ---
    "a cell cut short": ("runs show {cut} --store cut.d", "cell {cut} in cut.d is damaged: run what made it again"),
    "a cell with a changed byte": ("runs show {changed} --store changed.d", "cell {changed} in changed.d is damaged"),
    "a checkpoint that is none": (f"{SIMULATE} --checkpoint garbage", "checkpoint garbage is damaged .*: delete it to start anew"),
    "a checkpoint cut short": (f"{SIMULATE} --checkpoint cut.part", "checkpoint cut.part is damaged .*: delete it to start anew"),
    "a checkpoint of another run": (f"{SIMULATE} --checkpoint other.part", "checkpoint other.part belongs to another request: delete it"),
    "a folder for a checkpoint": (f"{SIMULATE} --checkpoint folder", "checkpoint folder cannot be read .Is a directory.: name another"),
    "a damaged checkpoint of training": (f"{TRAIN} --resume --checkpoint garbage", "checkpoint garbage is damaged .its checksum"),
    "an interrupted run in the way": (f"{TRAIN} --checkpoint garbage", "garbage holds an interrupted run: go on with it .--resume., or"),
    "a damaged netCDF file of a grid": ("claims --only 22 --grid garbage --store kept", "garbage is no result of optlab grid .*: give its runs.nc with --grid"),
    "CIFAR-10 that is not there": ("data show cifar10 --data-dir gone", "gone: there is no such folder; get the files with: optlab data fetch"),
    "a folder without CIFAR-10": ("data show cifar10 --data-dir folder", "folder: no CIFAR-10 files here: expected data_batch_1.bin"),
    "a file for that folder": ("train mlp --data-dir file --alpha 1", "file: this is a file, not a folder; get the files with"),
    "CIFAR-10 cut short": ("data show cifar10 --data-dir short", "data_batch_2.bin: 30,720 bytes where 30,730 are expected.*download it again"),
    "CIFAR-10 with a wrong label": ("data show cifar10 --data-dir label", "data_batch_3.bin: record 4 has label 11, and labels are 0 to 9"),
    "CIFAR-10 without a file": ("data show cifar10 --data-dir missing", "test_batch.bin: the file is missing .5 of 6 are there."),
    "a pickle that names a foreign class": ("data show cifar10 --data-dir foreign", "data_batch_1: not read: it names .*system, which is no plain"),
    "a pickle cut short": ("data show cifar10 --data-dir cut", "data_batch_1: the file is truncated: download it again"),
    "an address that is none": ("data fetch cifar10 --url nonsense --data-dir folder", "--url nonsense: unknown url type.*give an address such"),
    "a server that does not answer": ("data fetch cifar10 --url http://127.0.0.1:9/x --data-dir folder", "cannot download http://127.0.0.1:9/x"),
    # --- what is not installed, or not there ---
    "no cluster package": ("ravine --cluster tcp://127.0.0.1:9 --store kept", "tcp://127.0.0.1:9 needs Dask: pip install 'optlab.cluster.'", "distributed"),
    "an address of no cluster": ("ravine --cluster nonsense --store kept", "nonsense"),
    "no CUDA device": ("simulate --alpha 0.1 --backend cuda", "backend 'cuda': no NVIDIA driver answers: .*backend='cpu'"),
    "a library that optlab does not know": ("verify --against tensorflow", "unknown library 'tensorflow' .known: torch, optax, keras"),
}  # fmt: skip

CALLS = {
    "steps": (lambda: ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=10**12), "2.32 trajectories or steps"),
    "half a step": (lambda: ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=1.5), "steps = 1.5 must be a whole number"),
    "true for a number": (lambda: ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=True), "steps = True must be a whole number"),
    "trajectories": (lambda: ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=3, trajectories=0), "trajectories = 0"),
    "a seed that is text": (lambda: ol.simulate("sgd", QUADRATIC, schedule=0.1, steps=3, rng="x"), "'x' is no seed"),
    "no rule": (lambda: ol.rules.get(3), "3 is no rule: give a name, 'file.py:NAME' or a Rule"),
    "a learning rate": (lambda: ol.schedules.get("constant", alpha=float("nan")), "alpha = nan is not a finite number"),
    "a negative eps": (lambda: ol.rules.get("adam", eps=-1e-8), "eps = -1e-08 is out of range"),
    "beta": (lambda: ol.rules.get("adam", beta1=1), r"beta1 = 1 is out of range: it must lie in \[0, 1\)"),
    "an unknown option": (lambda: ol.rules.get("adam", beta=0.5), "unknown option of adam 'beta'; did you mean 'beta[12]'"),
    "kappa": (lambda: ol.problems.quadratic(condition_number=0.5, dim=3), "condition_number = 0.5"),
    "a formula with code": (lambda: ol.sympify("__import__('os').system('true')"), "cannot read the formula"),
    "a formula with attributes": (lambda: ol.sympify("x.__class__.__bases__"), "cannot read the formula"),
    "a formula of too many digits": (lambda: ol.sympify("9**9**9**9"), "the power '9'..'387420489' has too many digits"),
    "a sum of too many terms": (lambda: ol.sympify("zeta(10**9)"), "zeta.'1000000000'. is more than"),
    "rows and targets": (lambda: ol.advise((np.ones((3, 1)), np.ones(2)), target="y"), "is no path: give the name of a CSV file"),
    "nan in an array": (lambda: ol.train("linear", data=(np.full((9, 1), np.nan), np.arange(9.0)), alpha=1), "not a finite number"),
    "an unknown option of train": (lambda: ol.train("linear", epoch=3), "unknown option of train 'epoch'; did you mean 'epochs'"),
    "an unknown key of a report": (lambda: ol.report({"rule": ["sgd"]}), "spec: unknown key 'rule'; did you mean 'rules'"),
    "a spec that is none": (lambda: ol.report(3), "3 is no spec: give the path of a TOML file, or a dict"),
    "a norm": (lambda: ol.norms.get("layernorm"), "unknown .*'layernorm'; did you mean 'layer_norm'"),
    "a bound": (lambda: ol.bounds.get("convex"), "unknown bound 'convex'; did you mean 'convex_sgd'"),
}  # fmt: skip

RULE = "from optlab.rules import Rule, alpha, g, theta\nNUMBER = 3\nMINE = Rule(name='mine', equations=((theta, theta - alpha * g),))\n"
TEXTS = {
    "file": "", "garbage": "no such thing " * 9, "empty.csv": "", "header.csv": "x,z\n", "row.csv": "x,z\n1,2\n", "twice.csv": "x,x,z\n1,2,3\n2,3,4\n",
    "nan.csv": "x,z\n1,nan\n2,3\n4,5\n", "constant.csv": "x,z\n1,2\n2,2\n3,2\n", "comma.csv": "x;z\n0,5;1\n1,5;2\n", "sheet.csv": "PK\x03\x04 and so on",
    "data.csv": "x,y,z\n" + "\n".join(f"{k % 7},{(k * 5) % 11},{k % 7 * 2 + (k * 3) % 5}" for k in range(30)) + "\n",
    "wrong.toml": "[quadratics]\nstepss = 3\n", "problem.toml": "[[problem]]\nproblm = 'saddle'\n", "bom.toml": "\ufeffrules = ['sgd']\nzzz = 1\n",
    "deep.toml": "title = " + "[" * 5000, "digits.toml": "seed = " + "9" * 5000, "huge.toml": "[quadratics]\nsteps = 1000000000000\n",
    "text.toml": "rules = 'sgd'\n", "table.toml": "rules = ['sgd']\n[table]\npath = 'folder'\ntarget = 'y'\n", "zero.toml": "rates = [0.1, 0.0]\n",
    "tiny.toml": "rules = ['sgd']\nsections = []\n",
    "syntax.py": "def (:\n", "good.py": RULE, "exits.py": "import sys\nsys.exit(3)\n", "imports.py": "import not_there\n",
}  # fmt: skip


def place(folder: Path) -> dict[str, str]:
    """Make the files that the rows name; returns the ids of the damaged cells."""
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "latin.toml").write_bytes(b"seed = 1\ntitle = '\xe9'\n")
    (folder / "latin.py").write_bytes(b"x = '\xe9'\n")
    (folder / "wide.csv").write_bytes("x,z\n1,2\n".encode("utf-16"))
    for name in ("folder", "folder.nc", "run.png"):
        (folder / name).mkdir()
    _checkpoints(folder)
    _images(folder)
    return _cells(folder)


def _checkpoints(folder: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, identity=np.array("another"))
    (folder / "other.part").write_bytes(buffer.getvalue())
    (folder / "cut.part").write_bytes(buffer.getvalue()[:-30])


def _cells(folder: Path) -> dict[str, str]:
    ids = {}
    for name, where in (("sound", "kept"), ("cut", "cut.d"), ("changed", "changed.d")):
        store = Store(folder / where)
        store.put({"kind": name}, xr.Dataset({"x": ("k", np.arange(64.0))}))
        path = store.path({"kind": name})
        content = bytearray(path.read_bytes())
        if name == "changed":
            content[0] ^= 1
        path.write_bytes(content[: len(content) // 3] if name == "cut" else content)
        ids[name] = path.stem[:12]
    return ids


class _Foreign:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("true",)


def _images(folder: Path) -> None:
    """Ten images a file, damaged in one way each; with ``cifar10.RECORDS`` at 10."""
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    record = b"".join(bytes([label]) + bytes(3072) for label in range(10))
    for damage in ("short", "label", "missing", "foreign", "cut"):
        (folder / damage).mkdir()
        for name in names:
            content, ending = record, ".bin"
            if damage in ("foreign", "cut"):
                batch = {
                    b"labels": list(range(10)),
                    b"data": np.zeros((10, 3072), np.uint8),
                    b"x": _Foreign() if damage == "foreign" else 0,
                }
                content, ending = pickle.dumps(batch, 2), ""
            (folder / damage / f"{name}{ending}").write_bytes(content[:-100] if damage == "cut" else content)
    (folder / "short/data_batch_2.bin").write_bytes(record[:-10])
    (folder / "label/data_batch_3.bin").write_bytes(record[: 4 * 3073] + b"\x0b" + record[4 * 3073 + 1 :])
    (folder / "missing/test_batch.bin").unlink()
