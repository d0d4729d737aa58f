# `make` alone shows what there is. Every target but help, clean and constraints makes the checkout ready first.
PYTHON ?= python3
BIN := .venv/bin
PYTEST_ARGS ?=
# the order of the files is our own: what costs most begins first
SUITE := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
COMPILE := $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-full test-fast durations lint bench dtap compatibility traps docs screenshots build constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## virtual environment, pinned packages, Java, jars; again only when their inputs change
	@$(PYTHON) scripts/setup.py

demo: setup ## run a pipeline over Kafka, Spark with Delta, S3 and Postgres for three days, and show what came out
	$(BIN)/harness run orders_medallion --env dev --from 2026-01-01 --to 2026-01-03 --deadline 30m

test: setup ## the suite on the environment dev; PYTEST_ARGS adds options
	@$(SUITE) $(PYTEST_ARGS)

test-full: setup ## what `make test` leaves out too: slow proofs, and pipelines on the environment test
	@$(SUITE) --full $(PYTEST_ARGS)
	@$(SUITE) --full --env test -m services $(PYTEST_ARGS)

durations: setup ## measure what each file of tests costs, for the order of the suite and the shares of CI's machines
	@$(SUITE) --full --keep-durations

test-fast: setup ## what needs neither Spark nor a pipeline; under a minute
	@$(BIN)/pytest -m "not slow" -n 2 $(PYTEST_ARGS)

lint: setup ## style, types, import direction, rules of the repository
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_repo.py

bench: setup ## measure the budgets side by side, and write docs/performance.md
	@$(BIN)/python -m tests.bench

dtap: setup ## enter test, then acceptance, by the gate: all runs, all proofs; hours at first, then only what has changed
	@$(BIN)/harness gate --to test
	@$(BIN)/harness gate --to acc

docs: setup ## write the pages that are made from the code: docs/pipelines.md, docs/rules.md
	@$(BIN)/python scripts/pipelines_page.py
	@$(BIN)/python -m harness.checks.docs

screenshots: setup ## take the pictures of the report that docs/gate.md shows, of PAGE for those of the suite; needs chromium
	@$(BIN)/python -m tests.harness.report.screenshots $(PAGE)

traps: setup ## DAGs with one defect each: which ones are found, beside what other tools find; writes docs/traps.md
	@$(BIN)/python scripts/traps.py

compatibility: setup ## check and run Airflow's example DAGs, and write docs/compatibility.md; goes on where it was
	@$(BIN)/python scripts/compatibility.py

build: setup ## wheel and source distribution in dist/
	@$(BIN)/python -m build --installer uv

constraints: ## compile the pins from pyproject.toml, for each Airflow; UPGRADE=--upgrade takes the newest
	@$(COMPILE) $(UPGRADE) --output-file constraints.txt
	@echo 'apache-airflow<3.3' | $(COMPILE) $(UPGRADE) --constraint - --output-file constraints-airflow-3.2.txt

clean: ## remove what was built here; the user's cache of jars stays
	rm -rf .venv .stamps .harness .tox dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
