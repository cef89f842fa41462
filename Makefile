# `make` alone says what there is. On a fresh Debian 12, as root, each target installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
# Tests that measure run alone (`make bench`); three workers on two processors, because live tests mostly wait.
WORKERS ?= 3

.PHONY: help install check test proof bench demo up simulate constraints clean

help:  ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

install:  ## everything that is missing here: Python packages, Asterisk, voices
	@docker/install.sh run

check: install  ## style, types, import rules, the rules of the house
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PYTHON) -m pytest -q tests/house

test:  ## all tests: units, both databases, and calls through a real Asterisk
	@docker/install.sh test
	@$(PYTHON) -m pytest -m "not load" -n $(WORKERS) $(T)

proof:  ## the promises at their full counts: calls on a real Asterisk, then the load alone (hours on two cores)
	@docker/install.sh test
	@$(PYTHON) -m pytest --proof -m "not load" -v -s $(or $(T),tests/live tests/ivr tests/billing tests/proof tests/simulation)
	@$(PYTHON) -m pytest --proof -m load -v -s $(or $(T),tests/live) || [ $$? = 5 ]  # 5: T has no such tests

bench:  ## measurements: run alone on an idle machine
	@docker/install.sh test
	@$(PYTHON) -m pytest -m load -v -s $(or $(T),tests)

demo: install  ## a gateway, a telephone network and a prepaid call you can watch
	@.venv/bin/tollgate demo run

up: install  ## the gateway and a telephone network; register a softphone and call
	@.venv/bin/tollgate demo up $(UP)

simulate:  ## seeded simulation with kills, duplicates and delays: SEED=1 SESSIONS=1000000 DATABASE=postgresql
	@docker/install.sh test
	@$(PYTHON) -m tests.simulation.run $(if $(SEED),--seed $(SEED)) $(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(DATABASE),--database $(DATABASE))

constraints:  ## pin what is installed now
	@{ printf '%s\n' '# What was tested together; `make install` takes exactly these. Renewed by `make constraints`.'; \
	   $(PYTHON) -m pip freeze --exclude-editable --exclude tollgate | grep -v '@ '; } > docker/constraints.txt

clean:  ## what can be made again; not the database, not Asterisk
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache var/stamps var/lab sounds/en build dist
	find . -name __pycache__ -not -path './.venv/*' -not -path './var/*' -prune -exec rm -rf {} +
