# Everything a newcomer needs: `make run` and `make test`. Both install what they need, into .venv here and nowhere else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# More than cores: many tests wait for sockets and timers.
WORKERS ?= 6
URL := http://localhost:$(or $(ODDSENGINE_GATEWAY__PORT),8080)
INPUTS ?= 100000
TIMES ?= 20

# Tests start many processes, and each imports nearly everything: it is compiled once, whatever the environment says.
test laws fuzz: export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install run test laws fuzz lint format bench lock sbom clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.run ## install what `oddsengine run` needs

run: $(VENV)/.run ## start the demo: embedded Redis, simulated provider, live page at http://localhost:8080
	@echo "open $(URL) in a browser; Ctrl-C stops"
	$(BIN)/oddsengine run $(ARGS)

test: $(VENV)/.test ## run all tests, six at a time; with coverage: make test ARGS=--cov
	@.ci/packages
	@.ci/tests $(BIN)/python --forks $(WORKERS) $(ARGS)

laws: $(VENV)/.test ## try every law with 20 times the examples of `make test`; another number: make laws TIMES=100
	ODDSENGINE_EXAMPLES=$(TIMES) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 3600 -m hypothesis $(ARGS)

fuzz: $(VENV)/.test ## try 100,000 hostile messages, requests, tokens and stored entries; another number: make fuzz INPUTS=1000
	ODDSENGINE_FUZZ=$(INPUTS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --timeout 3600 tests/fuzz $(ARGS)

lint: $(VENV)/.test ## check style, types, the one way between rooms and the shape of files and folders
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.support.structure oddsengine feeds bench tests

format: $(VENV)/.test ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## run the benchmarks; one: make bench ARGS=pipeline
	$(BIN)/python -m bench $(or $(ARGS),pipeline)

lock: ## renew requirements/*.txt from pyproject.toml, with the hashes of all files
	@command -v uv >/dev/null || { echo "install uv first (pip install uv)"; exit 1; }
	uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml --group test --group dev -o requirements/test.txt
	uv pip compile -q --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml --group test --group dev --group bench -o requirements/bench.txt

sbom: $(VENV)/.test ## write what an installation consists of, with licences, to build/sbom.json (CycloneDX)
	$(BIN)/python -m venv build/installed
	build/installed/bin/python -m pip install -q --disable-pip-version-check -r requirements/run.txt
	build/installed/bin/python -m pip uninstall -q -y pip setuptools
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o build/sbom.json build/installed/bin/python

clean: ## remove what was installed and built here
	rm -rf $(VENV) build dist *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f oddsengine/common/speedups/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@.ci/venv $(PYTHON) $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements/run.txt pyproject.toml hatch_build.py $(wildcard oddsengine/common/speedups/*/*)
	@echo "installing oddsengine and what it needs into $(VENV)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@echo "installing what the tests need into $(VENV)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/test.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.test requirements/bench.txt
	@echo "installing what the benchmarks need into $(VENV)"
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/bench.txt
	@touch $@
