# A fresh machine needs Python >= 3.11, pip, make and git; everything else is set up here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
PEERS := $(VENV)/.peers
PTX := $(VENV)/.ptx
GPU := $(VENV)/.gpu
DOCS := $(VENV)/.docs
# What tells in a few minutes whether other versions of the dependencies will do: every module, kernels, expressions, files, the command line.
QUICK := tests/test_symbols.py tests/test_layers.py tests/test_entry_points.py tests/test_requirements.py tests/schedules tests/norms \
	tests/problems/test_problems.py tests/export tests/cli/test_derive.py tests/cli/test_runs.py tests/experiments/test_tensorboard.py \
	tests/reporting/test_rosetta.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help report theory rosetta docs bench test minimal package peers browser ptx gpu lint format doctor clean
help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "optlab needs Python 3.11 to 3.13, and $(PYTHON) is " + sys.version.split()[0] + ": run make PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)

$(RUN): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(DEV): $(RUN) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(PEERS): $(DEV) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,peers]'
	@touch $@

$(PTX): $(DEV) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,ptx]'
	@touch $@

$(GPU): $(DEV) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,cuda13]'
	@touch $@

$(DOCS): $(RUN) pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

report: $(RUN) ## derive, simulate and verify; writes reports/convergence/index.html
	$(BIN)/optlab report

theory: $(RUN) ## derive everything; writes reports/theory/index.html
	$(BIN)/optlab theory

rosetta: $(RUN) ## what torch, optax and keras have in common; writes reports/rosetta/index.html
	$(BIN)/optlab rosetta --report

docs: $(DOCS) ## tutorial, how-tos, a page for every definition, gallery, API; writes docs/_build/html/index.html
	MPLBACKEND=agg $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html

bench: $(PEERS) ## measure beside the peers; writes benchmarks/results/
	$(BIN)/python -m benchmarks.imports
	$(BIN)/python -m benchmarks.derivations
	$(BIN)/python -m benchmarks.pepit
	$(BIN)/python -m benchmarks.ensemble
	$(BIN)/python -m benchmarks.power
	$(BIN)/python -m benchmarks.cluster

test: $(DEV) ## run the whole test suite, doctests included
	$(BIN)/python -m pytest -n 2

minimal: ## test what is quick with the oldest versions that pyproject.toml admits, in an environment of its own (Python 3.11 or 3.12)
	$(PYTHON) -m venv $(VENV)-minimal
	$(VENV)-minimal/bin/python -m pip install --quiet --constraint constraints-minimal.txt --editable '.[cluster,tensorboard]' pytest
	$(VENV)-minimal/bin/python -m pip check
	$(VENV)-minimal/bin/python -m pytest -m "not peers and not cuda and not gpu and not slow" $(QUICK)

package: $(DEV) ## build the sdist and the wheel, install it into a clean environment and use it there
	$(BIN)/python -m tests.installed

peers: $(PEERS) ## hold optlab against other libraries (installs torch, optax, keras and PEPit)
	$(BIN)/python -m pytest -m peers -n 2

browser: $(DEV) docs ## look at reports and documentation in headless Chromium, which has to be on the path
	$(BIN)/python -m pytest -m browser tests/reporting

ptx: $(PTX) ## hold the CUDA kernels against the CPU and assemble them; needs no device (installs numba-cuda and ptxas)
	$(BIN)/python -m pytest -m cuda tests/cuda -n 2 --dist loadfile

gpu: $(GPU) ## test and measure ensembles and training on a CUDA device, in under ten minutes; writes benchmarks/results/
	$(BIN)/python -m benchmarks.gpu

lint: $(DEV) ## style, types and the layering of the package
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(DEV) ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

doctor: $(RUN) ## say what this machine has and what is missing
	$(BIN)/optlab doctor

clean: ## remove what was set up and computed here (reports stay)
	rm -rf $(VENV) $(VENV)-minimal .optlab build dist docs/_build docs/gallery docs/reference *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
