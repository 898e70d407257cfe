# The two commands of the README, and those of the people who work here. Everything lands in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo app test lint format bench screenshots clean

demo: .venv/installed            ## set up, train on MovieLens 100K, print recommendations, serve the app on port 8501
	$(BIN)/recsys demo

app: .venv/installed             ## serve the app with the models that are there
	$(BIN)/recsys app

test: .venv/installed-dev        ## set up and run the tests
	$(BIN)/python -m pytest

lint: .venv/installed-dev        ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed-dev       ## measure against the peers; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/speed.py

screenshots: .venv/installed-dev ## take the pictures of the README anew
	$(BIN)/python tests/browser/screenshots.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[dev]"
	touch $@ .venv/installed

clean:
	rm -rf .venv build *.egg-info test-output
