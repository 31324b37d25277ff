SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help
help: ## Say what each command does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing Python packages into .venv …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: ## Pin the Python dependencies anew (hashes, no registry address)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --group all --python-version 3.11 \
		--output-file requirements.lock
