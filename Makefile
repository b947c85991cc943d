# The README's commands. Requirements: Python 3.11, 3.12 or 3.13, git and a package index.
PYTHON ?= python3
VENV := .venv
GPU ?= $(wildcard $(VENV)/ready-gpu)
BIN := $(CURDIR)/$(VENV)/bin
LOCK := requirements/$(if $(GPU),gpu,cpu).lock
READY := $(VENV)/ready$(if $(GPU),-gpu)
SHELL := /bin/bash
export PATH := $(BIN):$(PATH)

.PHONY: help setup repro tagger verify paper ui test test-slow bench readme lock

help: ## list these commands
	@awk -F ':.* ## ' '/^[a-z-]+:.* ## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install everything into .venv (PYTHON=python3.13 chooses a Python, GPU=1 adds CUDA)
	@bash tools/scm.sh

$(READY): $(LOCK) requirements/uv.lock pyproject.toml
	@bash tools/setup.sh "$(PYTHON)" $(LOCK) $@

# What DVC prints besides what the stages do
DVC_TALK := /^(Running stage |> python -m |Updating lock file|Generating lock file|Stage .* (didn.t change|is cached))/d; \
	/^(To track the changes|To enable auto|\tgit add|\tdvc config|Use .dvc push|Verifying data|$$)/d
repro: setup ## run the pipeline: clips to report (dvc repro)
	@set -o pipefail; dvc repro | sed --unbuffered --regexp-extended '$(DVC_TALK)'
	@python -m tools.summary

MODEL ?= plus
# A path may have any characters: the shell receives it as a variable, not as part of the command.
override SOUNDS := $(value SOUNDS)
override YAMNET := $(value YAMNET)
export SOUNDS YAMNET
tagger: setup ## train and measure one model on SOUNDS=/my/clips (YAMNET=/a/SavedModel NAME=owls MODEL=plus)
	@python -m tools.tagger --sounds "$$SOUNDS" --name "$(NAME)" --yamnet "$$YAMNET" --model "$(MODEL)"
	@set -o pipefail; dvc repro | sed --unbuffered --regexp-extended '$(DVC_TALK)'
	@python -m tools.summary

verify: setup ## compare the results here with the committed ones (REVISION=HEAD)
	@python -m tools.verify --revision $(REVISION)

paper: setup ## run it on FSD50K; first print what that takes
	python -m tools.paper
	dvc exp run --set-param dataset=fsd50k --set-param yamnet.source=hub

REVISION ?= HEAD
PORT ?= 5000
ui: setup ## show all trainings in MLflow (PORT=5000)
	python -m tools.ui --port $(PORT)

# Three workers for two cores: many tests wait for the processes that they start.
PYTEST := pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder
test: setup ## run linters and tests
	ruff check .
	ruff format --check .
	basedpyright
	$(PYTEST) -m "not specialist"

# JAX apart from the rest: wherever it is installed, TensorFlow imports it, one second per stage
test-slow: setup ## run the tests on several devices, hosts and backends
	uv pip install --quiet --no-deps --require-hashes --python $(BIN)/python -r requirements/slow.lock
	$(PYTEST) -m specialist

bench: setup ## measure speed and memory into benchmarks/results.md
	set -o pipefail; python -m benchmarks | tee benchmarks/results.md

readme: setup ## update the table of results in README.md
	python -m tools.readme

# Update the lock files to the newest versions that pyproject.toml allows. Hashes, no URLs.
COMPILE := uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header
lock: setup ## update requirements/ to the newest versions
	$(COMPILE) --upgrade pyproject.toml --extra pipeline --extra dev -o requirements/cpu.lock
	$(COMPILE) --upgrade pyproject.toml --extra pipeline --extra dev --extra gpu -c requirements/cpu.lock -o requirements/gpu.lock
	echo uv | $(COMPILE) --upgrade - -o requirements/uv.lock
	printf 'jax\njaxlib\n' | $(COMPILE) --no-deps -c requirements/cpu.lock --upgrade - -o requirements/slow.lock
