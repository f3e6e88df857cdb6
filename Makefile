# Each target sets up what it needs: system packages, .venv, torch, and Palestra with its extras.
# A stamp marks a step that is complete, so an interrupted one is done again and a repeated one costs nothing.

SHELL := bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
SITE := build/wheel-site
# The tests find the unpacked wheel before the editable install, so that what the wheel lacks is missing.
ON_WHEEL := PALESTRA_TEST_WHEEL=$(SITE) PYTHONPATH="$(CURDIR)/$(SITE)"
PYTHON ?= python3
# What pip installs as torch: a requirement, or the path of a wheel.
TORCH ?= $(shell nvidia-smi >/dev/null 2>&1 && echo torch || echo torch==2.13.0)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help train test test-slow bench lint format setup wheel clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20
	@echo
	@echo "PYTHON=python3.12    the Python that .venv is made with (3.11 or later)"
	@echo "TORCH=torch==2.13.0  the torch to install: a requirement, or the path of a wheel; read when .venv is made."
	@echo "                     Without an NVIDIA GPU, where pip would fetch the large CUDA build, name a CPU wheel."
	@echo "ARGS='--help'        arguments of train.py (make train) or of pytest (make test)"

train: setup  ## train the small default agent on WebShop-v0
	$(BIN)/python train.py $(ARGS)

test: lint  ## lint, build the wheel, and test what it installs
	$(ON_WHEEL) $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

test-slow: wheel  ## run only the tests that take minutes
	$(ON_WHEEL) $(BIN)/pytest -m slow $(ARGS)

bench: $(VENV)/bench.stamp  ## run every script in benchmarks/
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

lint: wheel  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# The installed wheel is the one form of the package whose folder is always called palestra.
	set -o pipefail; MYPYPATH=$(SITE) $(BIN)/mypy -p palestra | sed 's|^$(SITE)/palestra/||'

format: setup  ## put the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The wheel is built from the source distribution, so both must be complete.
wheel: setup  ## build the wheel and unpack it for the tests
	@rm -rf build palestra.egg-info
	@mkdir -p build
	@$(BIN)/pyproject-build --no-isolation --outdir build/dist >build/build.log 2>&1 || { cat build/build.log; exit 1; }
	@$(BIN)/pip install --quiet --no-deps --target $(SITE) build/dist/*.whl

clean:  ## remove what building and testing left; .venv and runs stay
	rm -rf build dist palestra.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

setup: $(VENV)/install.stamp  ## install everything into .venv

# $(call system_package,PACKAGE,COMMAND): install the Debian package unless the command succeeds.
define system_package
@{ $(2); } >/dev/null 2>&1 || { \
  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
  { command -v apt-get && { [ -z "$$as_root" ] || command -v sudo; }; } >/dev/null || { \
    echo "Palestra needs the system package $(1) (or what your system calls it); please install it." >&2; exit 1; }; \
  echo "Installing the system package $(1)."; \
  $$as_root apt-get update -qq >/dev/null </dev/null && \
  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null </dev/null; }
endef

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Palestra needs Python 3.11 or later; name one with PYTHON=..." >&2; exit 1; }
	$(call system_package,python3-venv,$(PYTHON) -c "import ensurepip; import venv")
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch comes first and alone: an open range among other requirements may fetch a second, larger build.
$(VENV)/torch.stamp: $(VENV)/python.stamp
	$(BIN)/pip install --quiet "$(TORCH)"
	@$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' >$(VENV)/constraints.txt
	@touch $@

$(VENV)/install.stamp: $(VENV)/torch.stamp pyproject.toml
	$(call system_package,chromium-headless-shell,command -v chromium-headless-shell)
	$(call system_package,fonts-liberation,fc-list | grep -q Liberation)
	$(call system_package,bubblewrap,command -v bwrap)
	$(call system_package,iverilog,command -v iverilog)
	$(call system_package,git,command -v git)
	$(call system_package,make,command -v make)
	$(call system_package,libegl1,ls /usr/lib/*/libEGL.so.1)
	$(call system_package,libgl1-mesa-dri,ls /usr/lib/*/dri/swrast_dri.so || ls /usr/lib/*/libEGL_nvidia.so.0)
	$(call system_package,libfaketime,ls /usr/lib/*/faketime/libfaketime.so.1)
	$(call system_package,docker.io,PATH="$$PATH:/usr/sbin" command -v dockerd)
	$(BIN)/pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[train,dev]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/install.stamp
	$(BIN)/pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[bench]'
	@touch $@
