# manyheads: `make demo` and `make test` are all a newcomer needs; both install what they use into .venv, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DATA ?=
GROUP_BY ?=
T ?= tests
MINUTES ?= 10

help: ## Show available commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "manyheads needs $(PYTHON); set PYTHON=… to a Python 3.11 or newer"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

setup: $(STAMP) ## Install everything into .venv

demo: $(STAMP) ## Run the whole loop on loopback; DATA=folder uses your images, GROUP_BY=regex keeps files together
	$(BIN)/python -m deploy.demo $(if $(DATA),--data '$(DATA)') $(if $(GROUP_BY),--group-by '$(GROUP_BY)')

test: $(STAMP) ## Run the tests; T=path narrows them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(T)

fault-test: $(STAMP) ## Kill processes of a whole hub at random under load, then check every invariant; MINUTES=10
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults --minutes $(MINUTES)

fuzz: $(STAMP) ## Mutate images, artifacts, documents, statements, metadata until a reader breaks its promise; MINUTES=10 each
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --minutes $(MINUTES)

check: $(STAMP) ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(STAMP) ## Format and mend what a machine can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(STAMP) ## Run a hub on SQLite and a folder (./runs/hub), with the worker in the same process
	test -d runs/hub || $(BIN)/manyheads-hub init runs/hub --name local
	$(BIN)/manyheads-hub serve runs/hub

bench: $(STAMP) ## Run the benchmarks that need no data beside the project
	$(BIN)/python -m benchmarks

bench-engine: $(STAMP) ## Time the many-head engine beside separate networks
	$(BIN)/python -m benchmarks.engine

bench-hub: $(STAMP) ## Put a hub under load beside nginx, and grow one to 10,000 heads; needs nginx and wrk
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.hub_load

.PHONY: help setup demo test fault-test fuzz check fix serve bench bench-engine bench-hub
