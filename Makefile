# The commands of the README and of CONTRIBUTING.md. Everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo app test quick test-lowest lowest audit licences attack lint format docs bench bench-ml-20m bench-spark screenshots clean

demo: .venv/installed            ## set up, train on MovieLens 100K, print recommendations, serve the app on port 8501
	$(BIN)/recsys demo

app: .venv/installed             ## serve the app with the models in data/models
	$(BIN)/recsys app

test: .venv/installed-dev        ## set up and run every test
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

quick: .venv/installed-dev       ## the tests that need neither a browser nor a trained app: under a minute
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not browser and not slow"

attack: .venv/installed-dev      ## every attempt of docs/reliability.md: crashes, damaged folders, full disks; about half an hour on two idle cores
	RECSYS_ATTACK=1 nice $(BIN)/python -m pytest -n 2 tests/attack tests/engines

test-lowest: .venv-lowest/installed ## run the fast tests with the lowest versions that pyproject.toml allows
	NUMBA_CACHE_DIR=$(CURDIR)/.venv-lowest/numba .venv-lowest/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder \
	  -m "not browser and not slow and not own"

lowest: .venv-tools/installed    ## renew constraints-lowest.txt after a change of the ranges in pyproject.toml
	.venv-tools/bin/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 --extra dev \
	  --no-annotate --custom-compile-command "make lowest" pyproject.toml -o constraints-lowest.txt

audit: .venv-tools/installed     ## look up known vulnerabilities of the versions in constraints.txt
	.venv-tools/bin/python tools/audit.py

licences: .venv/installed-dev    ## write docs/licences.md
	$(BIN)/python tools/licences.py

lint: .venv/installed-dev        ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/installed-dev      ## fix style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed-docs       ## build the documentation site into site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: .venv-bench/installed .venv/installed-dev ## compare with other libraries; writes benchmarks/RESULTS.md (over an hour; needs MovieLens 1M and wrk)
	.venv-bench/bin/python benchmarks/scale.py
	for part in epochs ablation time-to-quality evaluation; do .venv-bench/bin/python benchmarks/speed.py $$part || exit 1; done
	for protocol in ml-100k ml-1m dimensions; do .venv-bench/bin/python benchmarks/quality.py $$protocol || exit 1; done
	.venv-bench/bin/python benchmarks/visitors.py ml-100k ml-latest-small
	for part in axes steering maps analogies walks; do .venv-bench/bin/python benchmarks/space.py $$part || exit 1; done
	$(BIN)/python -m benchmarks.incremental - ml-latest-small 0.01 latest
	for part in prepare scatter view rating drag sessions; do $(BIN)/python benchmarks/app.py $$part || exit 1; done
	for part in load hostile replace memory; do $(BIN)/python benchmarks/service.py $$part || exit 1; done

bench-ml-20m: .venv-bench/installed ## the protocol of Liang et al. 2018; fetches MovieLens 20M
	.venv-bench/bin/python benchmarks/quality.py ml-20m

bench-spark: .venv/installed-dev ## compare Spark with one machine (needs Java 17, and a folder with the ratings of MovieLens 1M)
	$(BIN)/python benchmarks/spark.py 1M data/raw/ml-1m

screenshots: .venv/installed-dev ## retake the pictures of the README and the docs
	$(BIN)/python tests/browser/screenshots.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[dev]"
	touch $@ .venv/installed

.venv/installed-docs: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e ".[docs]"
	touch $@ .venv/installed

.venv-bench/installed: pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	touch $@

.venv-tools/installed:
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1" "pip-audit>=2.9,<3"
	touch $@

.venv-lowest/installed: constraints-lowest.txt | .venv-tools/installed
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-tools/bin/uv pip install --quiet --python .venv-lowest/bin/python -r constraints-lowest.txt
	.venv-tools/bin/uv pip install --quiet --python .venv-lowest/bin/python --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf .venv .venv-bench .venv-lowest .venv-tools build *.egg-info site test-output
