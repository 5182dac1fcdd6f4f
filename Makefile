# The same commands for people and for CI. `make demo` and `make test` need Python 3.11+, make and a C library; nothing else.

VENV := .venv
BIN := $(VENV)/bin
# python3 if it is new enough, else the first newer one there is
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.PHONY: help setup demo format lint types test guarantees docs bench-import bench-labels bench-draw bench-bootstrap \
	bench-training bench-active bench-label-room bench-exchange bench-features clean

help:            ## say what there is
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.installed

setup: $(VENV)/.installed-test  ## make the environment with everything the tests need

demo: $(VENV)/.installed        ## once round the loop on real data
	$(BIN)/martello demo adult

format: setup                   ## format the code
	$(BIN)/ruff format src tests bench
	$(BIN)/ruff check --fix src tests bench

lint: setup                     ## style, spelling, import contracts, docstrings
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell src tests bench docs README.md CHANGELOG.md CONTRIBUTING.md
	$(BIN)/interrogate --quiet src/martello

types: setup                    ## strict types
	$(BIN)/mypy

test: lint types                ## all that CI runs
	$(BIN)/pytest -n 2 -m "not guarantee" -q

guarantees: setup               ## long simulations of what the statistics promise
	$(BIN)/pytest -m guarantee -p no:randomly -n 2 -v > bench/results/guarantees.txt 2>&1; \
	code=$$?; tail -5 bench/results/guarantees.txt; exit $$code

docs: setup                     ## write the generated parts of the docs again
	$(BIN)/python -m docs.generate

bench-import: setup             ## what importing and --help cost, against a bare interpreter
	$(BIN)/python bench/startup.py

bench-labels: setup             ## labels to decision, against fixed-size gold sets and the information bound
	$(BIN)/python bench/labels.py --out bench/results/labels.json

bench-draw: setup               ## drawing from ten million rows, against a bare scan-and-hash
	$(BIN)/python bench/draw.py

bench-bootstrap: setup          ## the bootstrap of average precision, against a loop over scikit-learn
	$(BIN)/python bench/bootstrap.py

bench-training: setup           ## quality against time: ours against LightGBM, scikit-learn and, where installed, skrub and FLAML
	$(BIN)/python bench/training.py

bench-active: setup             ## labels to learn from: which unit next
	$(BIN)/python bench/active.py

bench-label-room: setup         ## twenty people at once on a pool of a million units
	$(BIN)/python bench/label_room.py

bench-exchange: setup           ## a million answers in and out of five formats
	$(BIN)/python bench/exchange.py

bench-features: setup           ## row features against hand-written Python, Polars and DuckDB; history against the bare window query
	$(BIN)/python bench/features_row.py
	$(BIN)/python bench/features_history.py

clean:                          ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
