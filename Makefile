# Three doors: `make demo`, `make test`, `make nightly`. Each brings what it needs, into .venv, .cache and
# the temporary directory; only Debian's packages go elsewhere, and only for root.
#
# Packages are pinned by version and hash in requirements/*.txt (docs/adr/0001); `make lock` makes those anew.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# A company's own certificate authority stands in the system's store, which uv asks only when told to.
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What is started from here must not be moved by what the person's shell says.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

.PHONY: help demo test nightly lint format lock benchmark docs clean system

help:
	@echo 'make demo       the whole story on this machine in a minute; leaves nothing behind'
	@echo 'make test       every check and test, the end-to-end story on the real tools included'
	@echo 'make nightly    the same properties with many more examples'
	@echo 'make benchmark  the launch beside its peers, into benchmarks/launch/REPORT.md'
	@echo 'make docs       the reference pages, from the code'
	@echo 'make lock       the pinned requirements, from pyproject.toml'
	@echo 'make clean      removes .venv, .cache and what the tools left'

demo:
	@sh tests/demo.sh '$(PYTHON)' '$(BIN)'

test: $(BIN)/.ready system lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

nightly: $(BIN)/.ready system lint
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --timeout 3600

lint: $(BIN)/.ready
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-logo
	$(BIN)/typos

format: $(BIN)/.ready
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# strace, libfaketime and a secret service, for the end-to-end tests.
system:
	@sh tests/e2e/system.sh

# direnv and sudo, to be compared with; `sudo -n` is left out where it would ask for a password.
benchmark: $(BIN)/.ready
	@sh benchmarks/launch/system.sh
	$(BIN)/python -m benchmarks.launch

docs: $(BIN)/.ready
	$(BIN)/python docs/generate.py

lock: $(BIN)/.ready
	sh requirements/lock.sh $(BIN)/uv

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip first: the one that Debian's venv brings (23.0) writes command scripts that start slowly.
$(BIN)/.ready: requirements/build.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'gatekeeper needs Python 3.11 or newer as $(PYTHON); name another with PYTHON=…' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
