SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Hundreds of Python processes start here; where bytecode may not be kept, each spends 1 to 4 s on compiling its libraries.
export PYTHONDONTWRITEBYTECODE :=

include dashboards/frontend.mk
include tests/browser.mk
include tests/ingestion/clients.mk

.PHONY: help
help: ## Say what each command does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: demo
demo: .venv/installed dashboards/dist/index.html ## Install everything here, start it, send real events through it, show the result
	@radixinsight demo

.PHONY: test
test: .venv/installed dashboards/dist/index.html browser clients test-dashboards ## Run every test on real engines (installs what it needs)
	@pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: lint
lint: lint-types lint-python lint-sql lint-dashboards client-check ## Check style, types, import directions, dependencies and SQL (-j2: on two cores)

.PHONY: lint-types
lint-types: .venv/installed
	@pyright

.PHONY: lint-python
lint-python: .venv/installed
	@ruff check .
	@ruff format --check .
	@lint-imports --no-cache
	@deptry .

.PHONY: lint-sql
lint-sql: .venv/installed
	@sqlfluff lint --disable-progress-bar --processes 2 dbt_project/models dbt_project/macros core/warehouse/migrations

.PHONY: format
format: .venv/installed format-dashboards ## Rewrite sources in the house's style
	@ruff check --fix .
	@ruff format .
	@sqlfluff fix --disable-progress-bar dbt_project/models dbt_project/macros core/warehouse/migrations

.PHONY: python-client
python-client: .venv/installed ## Generate a Python client of the API in dist/radixinsight-client
	@openapi-python-client generate --path api/openapi.json --config api/python_client.yml \
		--output-path dist/radixinsight-client --overwrite

.PHONY: bench
bench: .venv/installed ## Run every benchmark (FLAGS="--quick" ends each in under a minute)
	@for program in bench/*.py; do \
		grep -q '__main__' "$$program" || continue; \
		echo "== $$program"; python "$$program" $(FLAGS); \
	done

.PHONY: clean
clean: ## Stop what runs here and remove everything that was installed or built (the data stays)
	@if test -x $(BIN)/radixinsight; then $(BIN)/radixinsight down || true; fi
	@rm -rf .venv dist dashboards/dist dashboards/node_modules tests/ingestion/clients/node/*/node_modules dbt_project/target dbt_project/logs .pytest_cache .ruff_cache

.PHONY: lock
lock: .venv/installed ## Pin the Python dependencies anew (with hashes, without any registry's address)
	@uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras --group dev \
		--python-version 3.11 --output-file requirements.lock pyproject.toml

# uv installs in seconds what takes pip over a minute; it comes from the same lock. Where pip is set up for a mirror
# that uv does not know of, pip does it all.
.venv/installed: requirements.lock pyproject.toml
	@echo "Installing Python packages into .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^[^ #]/ {keep = /^uv==/} keep' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r .venv/uv.lock
	@uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock \
		|| $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
