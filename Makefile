# Every target is one line of intent; the work is in scripts/. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint format bench zoo verifier screenshots clean-demo
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PORT ?= 8000
SEED ?= 1
TRIALS ?= 42
WORKERS ?= 2
MINUTES ?= 45
export PYTHON
unexport PYTHONDONTWRITEBYTECODE # see scripts/common.sh
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\n  make demo ONCE=1 ends after one case; SEED=n gives another organisation; PORT=n another address;\n  LINEAGE=1 trains the model in shards and slices, from which records are deleted exactly.\n'

setup: ## install what is missing: system libraries, .venv, pinned packages (PYTHON=python3.12 chooses)
	@scripts/setup.sh

demo: setup ## set up, file and work one case before your eyes, then serve until Ctrl-C
	@.venv/bin/python manage.py demo --seed $(SEED) --port $(PORT) $(if $(filter 1 true yes,$(ONCE)),--once) $(if $(filter 1 true yes,$(LINEAGE)),--lineage)

serve: setup ## web server, workers and scheduler on what is already in var/
	@scripts/serve.sh $(PORT) $(SEED)$(if $(filter 1 true yes,$(LINEAGE)),-lineage)

test: ## all tests, with what they need; on PostgreSQL too
	@scripts/test.sh

lint: ## ruff, import rules, mypy
	@scripts/lint.sh

format: ## ruff format
	@scripts/setup.sh --dev
	@.venv/bin/ruff check --fix-only --quiet . ; .venv/bin/ruff format .

verifier: ## the stranger's verifier as one file, dist/lethe-verify.pyz (any Python 3.11, nothing installed)
	@python3 scripts/verifier.py

bench: ## measurements (tests/bench)
	@scripts/setup.sh --dev
	@.venv/bin/python -m pytest tests/bench -ra -s

zoo: ## honest models and cheats before the verdict (TRIALS=42 WORKERS=2 MINUTES=45 FAMILIES=...; goes on where it stopped)
	@scripts/setup.sh --dev
	@.venv/bin/python -m tests.zoo --trials $(TRIALS) --workers $(WORKERS) --minutes $(MINUTES) --families "$(FAMILIES)" --publish

screenshots: ## draw the pictures of README and docs anew from the demonstration, in both themes
	@scripts/setup.sh --dev
	@.venv/bin/python -m tests.e2e.screenshots --seed $(SEED) --port $(PORT)

clean-demo: ## delete the demo installation (var/): database, keys, models, reports
	@scripts/clean-demo.sh
