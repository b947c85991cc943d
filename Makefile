# The README's commands. Requirements: Python 3.11 or 3.12, git and a package index.
PYTHON ?= python3
VENV := .venv
GPU ?= $(wildcard $(VENV)/ready-gpu)
BIN := $(CURDIR)/$(VENV)/bin
LOCK := requirements/$(if $(GPU),gpu,cpu).lock
READY := $(VENV)/ready$(if $(GPU),-gpu)
SHELL := /bin/bash
export PATH := $(BIN):$(PATH)

.PHONY: setup repro paper ui test test-slow bench readme lock

setup: $(READY)

$(READY): $(LOCK) requirements/uv.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 12) or sys.exit("error: Python %d.%d is not supported: use 3.11 or 3.12, for example make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	$(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --python $(BIN)/python -r $(LOCK)
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	touch $@

repro: setup
	dvc repro

paper: setup
	python -m tools.paper
	dvc exp run --set-param dataset=fsd50k --set-param yamnet.source=hub

PORT ?= 5000
ui: setup
	python -m tools.ui --port $(PORT)

# Three workers for two cores: many tests wait for the processes that they start.
PYTEST := pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder
test: setup
	ruff check .
	ruff format --check .
	basedpyright
	$(PYTEST) -m "not specialist"

# JAX apart from the rest: wherever it is installed, TensorFlow imports it, one second per stage
test-slow: setup
	uv pip install --quiet --no-deps --require-hashes --python $(BIN)/python -r requirements/slow.lock
	$(PYTEST) -m specialist

bench: setup
	set -o pipefail; python -m benchmarks | tee benchmarks/results.md

readme: setup
	python -m tools.readme

# Update the lock files to the newest versions that pyproject.toml allows. Hashes, no URLs.
COMPILE := uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header
lock: setup
	$(COMPILE) --upgrade pyproject.toml --extra pipeline --extra dev -o requirements/cpu.lock
	$(COMPILE) --upgrade pyproject.toml --extra pipeline --extra dev --extra gpu -c requirements/cpu.lock -o requirements/gpu.lock
	echo uv | $(COMPILE) --upgrade - -o requirements/uv.lock
	printf 'jax\njaxlib\n' | $(COMPILE) --no-deps -c requirements/cpu.lock --upgrade - -o requirements/slow.lock
