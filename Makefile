# `make train` and `make test` do everything, on a machine with Python 3.11 or newer, git and make.

RECIPE ?= cluttered
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test check venv benchmark results watch clean

train: venv
	$(BIN)/python -m runs.train $(RECIPE) $(ARGS)

test: venv
	$(BIN)/python -m pytest

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: venv
	$(BIN)/python -m runs.benchmark $(ARGS)

results: venv
	$(BIN)/python -m runs.results

watch: venv
	$(BIN)/tensorboard --logdir runs/logs --samples_per_plugin images=200,text=200

venv: $(VENV)/installed

# PyTorch goes first and pinned, so that no later package chooses another build of it.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,sb3,test,dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
