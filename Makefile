# `make demo` runs the main job on a cluster of this machine's own; `make test` passes the tests.
# Both install what is missing first (see .ci/setup).

BIN := .venv/bin
# Tests wait for daemons more than they compute: several files at a time, each process with a lab of its own.
SIDE_BY_SIDE := -n 3 --dist loadfile

.PHONY: demo test lint unit lab-tests docs bench setup clean

setup: .venv/ready

.venv/ready: pyproject.toml .ci/setup
	bash .ci/setup
	touch $@

demo: setup
	$(BIN)/python docs/demo.py

test: lint unit lab-tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/unit tests/oracles

lab-tests: setup
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/lab --durations=10

docs: setup
	$(BIN)/python docs/generate.py

bench: setup
	$(BIN)/python bench/bench_queue.py
	$(BIN)/python bench/bench_directory.py
	$(BIN)/python -m pip install --quiet checkdmarc  # a peer of the SPF bench only
	$(BIN)/python bench/bench_spf.py

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache
