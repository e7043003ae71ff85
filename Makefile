PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
ARROW := $(VENV)/arrow
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types unit docs bench format clean

demo: $(INSTALLED)  ## the command line on synthetic songs; what it writes is in results
	$(BIN)/python examples/demo.py --music demo_music --output results

test: lint types unit  ## everything that has to be green

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

# pyarrow apart: where it is installed, pandas keeps all text in it.
unit: $(INSTALLED) $(ARROW)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal
	OMP_NUM_THREADS=1 PYTHONPATH=$(ARROW) $(BIN)/pytest -n 2 --dist worksteal -k arrow tests

# Nets this small train several times faster on one thread, more so on a busy machine.
docs: $(INSTALLED)  ## the pages in docs/_build/html, and the numbers in the user guide
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going --quiet docs docs/_build/html
	OMP_NUM_THREADS=1 $(BIN)/pytest --doctest-glob="*.rst" docs/guide

bench: $(INSTALLED)  ## the page docs/benchmarks.md; take no other work in the meantime
	$(BIN)/python benchmarks/run_all.py --output docs/benchmarks.md

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) results demo_music build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		docs/_build docs/gallery docs/generated

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--constraint constraints.txt --editable ".[docs,plot,report,test]"
	# The weights of MusicNN. What else the package asks for, an old TensorFlow, is not needed.
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--constraint constraints.txt --no-deps musicnn
	touch $@

$(ARROW): $(INSTALLED) constraints.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--constraint constraints.txt --no-deps --upgrade --target $@ pyarrow
	touch $@
