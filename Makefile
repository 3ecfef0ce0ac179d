# Each sets up the environment first, if that has not been done.
#   make demo      runs the demo study on coarse voxels and shows its main table (25 minutes of CPU time)
#   make demo-full runs it on voxels as real scans have them (longer)
#   make demo-visits  runs six simulated people who are seen three times a year (longer)
#   make test      runs the checks and the tests, with the coarse demo and one real person (the tests before these: 28 minutes on two cores that the demo shared)
#   make test-all  the same with the slow tests: the full demo, a null cohort, kills, failures, turned heads
#   make test-third  the third of the slow tests whose turn it is today, for MINUTES at most (25)
#   make test-slurm  runs the workflow through a Slurm that it starts on this machine (as root; it installs Debian's packages)
#   make bench     runs the benchmarks
#   make mutants   plants bugs, one at a time, and shows which test finds each (long; NAMES="one-sided ppb" for some)
#   make validate-score STUDY=study.yaml RATINGS=ratings.tsv  compares human ratings of the motor band with a finished study's score
#   make docs      builds the pages of docs/ into site/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --rerun-incomplete $(LEAN)
# The default scheduler solves an integer programme for each job, and looks again every second for each that has ended.
LEAN := --scheduler greedy --max-jobs-per-timespan 100/5s
# two files of tests at a time, each on one core; a file's tests share what it made, and the long ones come first
PARALLEL ?= -n 2 --dist loadfile
ONE_CORE := OMP_NUM_THREADS=1 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1
SHORT := not benchmark and not slow
DAY ?= $(shell date +%j)
MINUTES ?= 25

.PHONY: demo demo-full demo-visits validate-score test test-all test-third test-slurm lint style types docs bench mutants setup clean

setup: $(VENV)/.installed

# torch first: its CPU build, where one is at hand, satisfies the packages after it
$(VENV)/.installed: pyproject.toml envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable ".[cluster,docs,test]"
	touch $@

demo: setup
	@echo "The demo study: simulated people, on coarse voxels. It takes about 25 minutes of CPU time; make demo-full has finer ones."
	$(SNAKEMAKE)
	$(BIN)/mndmri show results

demo-full: setup
	@echo "The demo study on voxels as real scans have them: simulated people. It takes longer than make demo."
	$(SNAKEMAKE) --configfile config/config.yaml config/demo-full.yaml
	$(BIN)/mndmri show results-full

demo-visits: setup
	@echo "The demo of visits: six simulated people, seen three times while their damage grows. It takes longer than make demo."
	$(SNAKEMAKE) --configfile config/config.yaml config/demo-visits.yaml
	$(BIN)/mndmri show results-visits

validate-score: setup
	$(SNAKEMAKE) compare_raters --configfile $(STUDY) --config 'ratings=[$(RATINGS)]'

docs: setup
	$(BIN)/sphinx-build -E -W --keep-going -q docs site

lint: setup
	$(MAKE) --jobs 2 --output-sync docs style types

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

# whole runs have the cores to themselves
test: lint
	$(ONE_CORE) $(BIN)/pytest $(PARALLEL) -m "$(SHORT)" --unit-seconds 60 tests/workflow tests/unit tests/mutants
	$(BIN)/pytest -m "$(SHORT)" tests/e2e

test-all: test
	$(BIN)/pytest -m slow

test-third: setup
	$(BIN)/pytest --day $(DAY) --minutes $(MINUTES)

test-slurm: setup
	tests/slurm/cluster.sh start
	MNDMRI_SLURM=1 $(BIN)/pytest tests/slurm; ended=$$?; tests/slurm/cluster.sh stop; exit $$ended

bench: setup
	$(BIN)/pytest -m benchmark tests/benchmark

mutants: setup
	$(BIN)/python -m tests.mutants $(NAMES)

clean:
	rm -rf $(VENV) .snakemake results results-full results-visits site
