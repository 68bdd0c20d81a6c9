# Everything a fresh machine with Python 3.11 needs: `make app`, `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup app test lint bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

app: setup
	$(BIN)/kpnviz app

# One thread each: workers, servers and browsers share the cores, and threads that wait for each other would crawl.
test: setup lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/kpnviz bench

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
