# wor_eval: `make demo` shows what the package does, `make test` shows that it does it right.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo docs test check recovery lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "wor_eval needs Python 3.11 or newer" && exit 1)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

demo: $(STAMP) ## make a synthetic study, run it, render the reports (Dutch and English)
	@$(BIN)/wor-eval demo --folder build/demo

docs: $(STAMP) ## the teaching site: build/docs/index.html; every page runs
	@$(BIN)/wor-eval docs docs --out build/docs

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n auto --dist worksteal

check: $(STAMP) ## ruff, ruff format and mypy strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

recovery: $(STAMP) ## simulate 200 studies per scenario: bias and coverage of every design (half an hour)
	@$(BIN)/python -m benchmarks.recovery

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --no-annotate --no-header \
	    --extra dev pyproject.toml -o requirements.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache
