# Everything that one does in this repository. Set-up is part of every target that needs it, and quick when nothing is new.

PYTHON := .venv/bin/python

.PHONY: help demo test test-all check mutants attack setup run python lint format bench bare clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: run ## evaluate a shipped bundle in each topology, and leave run directories to look at
	@scripts/demo

# The tests of a file share what takes minutes to make: one process runs them all.
test: setup ## the whole test suite, with a container engine; lists the slowest tests
	@.venv/bin/pytest -n 2 --dist loadfile --durations=25 --durations-min=10

test-all: setup ## the same with every seed of every race
	@.venv/bin/pytest -n 2 --dist loadfile --durations=25 --durations-min=10 --all-seeds

check: lint ## what a change has to pass before anything else: no container engine, three minutes on two cores
	@.venv/bin/pytest -q -n 2 -m "not docker and not slow"

mutants: python ## break lines of the modules that differ from main (or MODULES=…), and see whether a test notices
	@$(PYTHON) scripts/mutants.py $(MODULES)

attack: run ## the whole attack suite on this machine, as `agentics doctor --attack --full`
	@.venv/bin/agentics doctor --attack --full

setup: ## virtual environment, container engine, images
	@scripts/setup

run: ## what evaluating needs of that: no tools of development
	@scripts/setup run

python: ## the virtual environment only
	@scripts/setup python

lint: python ## ruff, mypy, import-linter
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --check --quiet
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo

format: python ## let ruff mend what it can
	@.venv/bin/ruff check --fix --quiet
	@.venv/bin/ruff format --quiet

bench: setup ## what a case costs, beside a plain hardened `docker run`
	@$(PYTHON) benchmarks/overhead.py

bare: ## `make demo` on a bare Debian, made for it and removed afterwards; needs root
	@scripts/bare-machine demo

clean: ## remove what the other targets make again
	@rm -rf .venv .setup .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist agentics.egg-info
