# Everything that a person or CI runs here. Two commands on a fresh machine: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Each stamp is the record of one installation, made again when what it installs has changed.
CORE := $(VENV)/.installed-core
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint types layers check bench

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(CORE) ## the core alone, no framework: train on handwritten digits, on NumPy
	UNIGRAD_TARGET=numpy $(BIN)/python docs/examples/digits.py

test: $(DEV) ## install everything, run the tests
	$(BIN)/python -m pytest -n 2

lint: $(DEV) ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## strict type checking
	$(BIN)/basedpyright

layers: $(DEV) ## which room may import which
	$(BIN)/lint-imports

check: test lint types layers ## all of the above

bench: $(DEV) ## speed, as ratios to code written by hand
	$(BIN)/python -m pytest benchmarks

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[examples]"
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[torch,jax,dev]" tensorflow-cpu --editable tests/thirdparty
	@touch $@
