# Everything that a fresh machine with Python 3.11 to 3.14 needs: `make app`, `make test`.

WORKS := -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
# The newest one that is there. Each is tried: some names only tell that there is none, and Debian's may lack venv.
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$name $(WORKS) 2>/dev/null && echo $$name && break; done)
# PyTorch without CUDA, which takes gigabytes on Linux. With CUDA: make clean app TORCH_INDEX=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCRIPTS := "{kpnviz,docs,tests}/**/*.{js,ts,css}"

.PHONY: setup app test test-all tests lint types wheel docs bench clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt hatch_build.py
	@test -x $(BIN)/python || $(or $(PYTHON),false) $(WORKS) 2>/dev/null || { echo "PYTHON is '$(PYTHON)';" \
		"kpnviz needs Python 3.11 to 3.14, with venv. Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifneq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install --quiet --retries 2 --timeout 15 --no-deps --constraint constraints.txt \
		--index-url $(TORCH_INDEX) torch \
		|| echo "No PyTorch from $(TORCH_INDEX): pip takes what its own index has (on Linux with CUDA, gigabytes)."
endif
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

app: setup
	$(BIN)/kpnviz app

# One thread each: workers, servers and browsers share the cores, and threads that wait for each other would crawl.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

# mypy takes a minute on one core: the tests run beside it.
test: setup
	@$(MAKE) --no-print-directory --jobs 2 lint tests TESTS="-m 'not slow'"

# As CI runs it.
test-all: setup
	@$(MAKE) --no-print-directory --jobs 2 lint tests

tests: setup
	$(PYTEST) $(TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null && $(MAKE) --no-print-directory node_modules/.installed; \
		then $(MAKE) --no-print-directory types; \
		else echo "The scripts are not checked: that takes npm (Node.js 18 or later) and its registry."; fi

# The types of the scripts (tsconfig.json) and how scripts and styles are laid out, by the tools of package-lock.json.
types: node_modules/.installed
	node_modules/.bin/tsc
	node_modules/.bin/prettier --check --log-level warn $(SCRIPTS)

node_modules/.installed: package.json package-lock.json
	npm ci --silent --no-audit --no-fund
	touch $@

# What a package index would get, looked through and run.
wheel: setup
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	$(BIN)/python tests/check_wheel.py dist/*.whl

# The documentation, with the live site in it; the notebooks run once, for two minutes, and again when they change.
docs: setup
	$(BIN)/python docs/build.py

bench: setup
	$(BIN)/kpnviz bench

clean:
	rm -rf $(VENV) node_modules build dist docs/_build docs/tutorials .pytest_cache .ruff_cache .mypy_cache
