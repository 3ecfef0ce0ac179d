# make demo   sets up the environment, runs the demo study, shows the main table
# make test   sets up the environment, runs the checks and the tests
# make bench  sets up the environment, runs the benchmarks (long)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

.PHONY: demo test bench setup clean

setup: $(VENV)/.installed

# torch first: its CPU build, where one is at hand, satisfies the packages after it
$(VENV)/.installed: pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable ".[cluster,test]"
	touch $@

demo: setup
	$(BIN)/snakemake --cores $(CORES) --rerun-incomplete
	$(BIN)/python scripts/show_results.py results

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not benchmark"

bench: setup
	$(BIN)/pytest -m benchmark tests/benchmark

clean:
	rm -rf $(VENV) .snakemake results
