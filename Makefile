# `make demo`, `make train` and `make test` do everything, on a machine with Python 3.11 or newer, git and make.

RECIPE ?= cluttered
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

PIP := pip install --quiet --disable-pip-version-check

.PHONY: demo train test test-interop test-lowest test-newest check venv benchmark results watch clean

# Pictures from the repository, and an agent from it: no data are fetched.
demo: venv
	$(BIN)/python -m runs.look runs/demo --out demo.png $(ARGS)

train: venv
	$(BIN)/python -m runs.train $(RECIPE) $(ARGS)

# In two workers, one a core of a small machine: half as long as in one.
test: venv
	$(BIN)/python -m pytest -n 2

# These have environments of their own: other people's libraries, and the ends of what pyproject.toml allows.
test-interop: .venv-interop/installed
	.venv-interop/bin/python -m pytest tests/test_interop.py

test-lowest test-newest: test-%: .venv-%/installed
	.venv-$*/bin/python -m pytest

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: venv
	$(BIN)/python -m runs.benchmark $(ARGS)

results: venv
	$(BIN)/$(PIP) -c constraints.txt 'ap_gym>=0.5' aiohttp  # which ap_gym 0.5 needs, and does not ask for
	$(BIN)/python -m runs.results

watch: venv
	$(BIN)/tensorboard --logdir runs/logs --samples_per_plugin images=200,text=200

venv: $(VENV)/installed

# PyTorch goes first and pinned, so that no later package chooses another build of it.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) -c constraints.txt torch
	$(BIN)/$(PIP) -c constraints.txt -e '.[train,sb3,test,dev]'
	touch $@

.venv-interop/installed: pyproject.toml constraints-interop.txt
	$(PYTHON) -m venv .venv-interop
	.venv-interop/bin/$(PIP) -c constraints-interop.txt torch
	.venv-interop/bin/$(PIP) -c constraints-interop.txt -e '.[interop,test]'
	.venv-interop/bin/$(PIP) -c constraints-interop.txt psutil
	.venv-interop/bin/$(PIP) -c constraints-interop.txt --no-deps pufferlib-core  # it asks for another PyTorch
	touch $@

.venv-lowest/installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/$(PIP) -c constraints-lowest.txt -e '.[train,sb3,test]'
	touch $@

.venv-newest/installed: pyproject.toml
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/$(PIP) --upgrade -e '.[train,sb3,test]'
	touch $@

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .ruff_cache .mypy_cache .hypothesis
