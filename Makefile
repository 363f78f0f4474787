# `make help` lists the targets. `make run` and `make test` do all the set-up that they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
LOCK := $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

export PYTHONPATH := $(CURDIR)

.PHONY: help run test check lint types layers drift generate conformance bench bench-diff bench-sync fuzz unit integration chaos soak controlplane objectserver lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "specsync needs Python 3.11 or later; '$(PYTHON)' is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv from requirements/dev.txt (about a minute the first time)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: .venv/.ready ## pin the requirements again, with hashes
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) --group build -o requirements/build.txt
	$(LOCK) --group dev pyproject.toml -o requirements/dev.txt

controlplane: .venv/.ready ## get etcd, kube-apiserver, kube-controller-manager and kubectl (built once, then cached)
	@$(PY) -m devcluster build

objectserver: .venv/.ready ## get versitygw, the S3 server of the tests (built once, then cached)
	@$(PY) -m devcluster build --object-server

run: $(if $(CLUSTER),.venv/.ready,controlplane) ## start a control plane and the operator, and give a tour (ONCE=1 ends after it, CLUSTER=current uses yours)
	@$(PY) -m tour $(if $(ONCE),--once) $(if $(CLUSTER),--cluster $(CLUSTER))

test: check unit integration ## all checks and all tests

check: lint types layers drift ## all checks

lint: .venv/.ready ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.ready ## mypy, strict
	$(BIN)/mypy

layers: .venv/.ready ## import-linter: imports point down only
	$(BIN)/lint-imports

drift: .venv/.ready ## crds/ and docs/ are what the code generates
	$(PY) -m specsync.resources.crds --check
	$(PY) -m specsync.resources.reference --check
	$(PY) -m specsync.cli.metricsdoc --check
	$(PY) -m specsync.diffing.rulesdoc --check

generate: .venv/.ready ## write crds/ and docs/ anew from the code
	$(PY) -m specsync.resources.crds
	$(PY) -m specsync.resources.reference
	$(PY) -m specsync.cli.metricsdoc
	$(PY) -m specsync.diffing.rulesdoc

unit: .venv/.ready ## tests that need nothing but Python
	$(BIN)/pytest tests/unit

integration: controlplane objectserver ## tests on a real control plane
	$(BIN)/pytest tests/integration tests/chaos

chaos: controlplane objectserver ## faults of all kinds, and a comparison with an undisturbed run (SEED=7 MINUTES=5 DEPENDENCIES=100 STORE=s3)
	@$(PY) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(DEPENDENCIES),--dependencies $(DEPENDENCIES)) $(if $(STORE),--store $(STORE))

soak: controlplane ## 500 Dependencies every 30 s, with faults: what grows (MINUTES=30 DEPENDENCIES=500)
	@$(PY) -m bench.soak $(or $(MINUTES),30) $(or $(DEPENDENCIES),500)

conformance: .venv/.ready ## agreement of `specsync diff` with oasdiff's recorded events
	@$(PY) -m bench.conformance

bench-diff: .venv/.ready ## `specsync diff` beside oasdiff: time and memory of whole processes
	@$(PY) -m bench.diff

fuzz: .venv/.ready ## fuzz the loader and the guard (SECONDS=60 for each target)
	@$(PY) -m bench.fuzz $(or $(SECONDS),60)

bench-sync: controlplane ## a thousand Dependencies at once on one CPU, beside Flux's figures: time, CPU, memory, writes
	@$(PY) -m bench.sync $(ARGS)

bench: controlplane objectserver ## all other measurements, one after the other
	@for each in load diff takeover outage large idle hostile hostile_documents alerts blobs; do echo "== $$each"; $(PY) -m bench.$$each; done

clean: ## remove .venv, caches and the development cluster's state
	rm -rf .venv .run dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
