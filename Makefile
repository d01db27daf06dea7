PYTHON ?= python3
PORT ?= 8000
BENCH ?=
HOSTILE ?=
CHAOS ?=
VERSIONS ?=

VENV := .venv
COMPAT := -e compat/simplejwt -e compat/jwt
VENV_PYTHON := $(VENV)/bin/python
PIP_INSTALL := $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check
RUFF_AND_MYPY = $(VENV_PYTHON) -m ruff check . \
	&& $(VENV_PYTHON) -m ruff format --check . \
	&& $(VENV_PYTHON) -m mypy

# In the environment and not in the command line: then no PORT can be anything but a value.
export PORT

# Without bytecode, each of the several hundred Pythons that the tests start compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

# make help            this list
.PHONY: help
help:
	@sed -n 's/^# \(make .*\|PORT=.*\)/\1/p' Makefile

# make demo            a small API with a page to try it, at http://127.0.0.1:8000/
# PORT=8123 make demo  the same at another port
.PHONY: demo
demo: $(VENV)/.demo
	@$(VENV_PYTHON) demo/serve.py

# make check           ruff, mypy and the tests that need no server and no browser and are not slow: a minute
.PHONY: check
check: $(VENV)/.test
	@$(RUFF_AND_MYPY)
	@TESSERA_TEST_DB=sqlite $(VENV_PYTHON) -m pytest -q -n auto --dist worksteal -m "not server and not browser and not slow"

# make test            ruff, mypy and the tests on SQLite, PostgreSQL and MariaDB: 10 to 12 minutes
.PHONY: test
test: $(VENV)/.test
	@$(RUFF_AND_MYPY)
	@$(VENV_PYTHON) -m tests.matrix

# make test-long       what make test leaves out: long searches, more versions and databases, the wheels: 40 minutes
.PHONY: test-long
test-long: $(VENV)/.test
	@$(VENV_PYTHON) -m tests.matrix --long

# make versions        the quick tests on each Python, Django and REST framework (VERSIONS=--corners: the two ends)
.PHONY: versions
versions: $(VENV)/.test
	@$(VENV_PYTHON) -m tests.versions $(VERSIONS)

# make docs            the pages as a site, at site/index.html
.PHONY: docs
docs: $(VENV)/.docs
	@$(VENV_PYTHON) -m sphinx -b html -c docs --nitpicky --fail-on-warning --keep-going --quiet . site
	@echo "Open site/index.html in a browser."

# make hostile         attack real workers with hostile requests, and print the cost of each (HOSTILE=--quick: a few)
.PHONY: hostile
hostile: $(VENV)/.test
	@$(VENV_PYTHON) -m tests.hostile.attack $(HOSTILE)

# make chaos           break real servers while clients work: 5 minutes (CHAOS="--minutes 60 --seed 7": another run)
.PHONY: chaos
chaos: $(VENV)/.test
	@$(VENV_PYTHON) -m tests.chaos $(CHAOS)

# make bench           measure beside the peers; the results go to benchmarks/results/ (BENCH=--quick: a look)
.PHONY: bench
bench: $(VENV)/.test
	@$(VENV_PYTHON) -m benchmarks $(BENCH)

# tools/venv.sh makes the environment, and says what is wrong with a Python that cannot make it. It runs each
# time, because somebody may name another Python than the one in the environment.
.PHONY: $(VENV)
$(VENV):
	@PYTHON="$(PYTHON)" VENV="$@" NAMED=$(if $(filter file,$(origin PYTHON)),,yes) sh tools/venv.sh

# Only adds to the environment, so both targets may share it.
$(VENV)/.demo $(VENV)/.test: $(VENV)/.%: requirements/%.txt pyproject.toml $(wildcard compat/*/pyproject.toml) | $(VENV)
	@echo "Installing the pinned requirements into $(VENV) ..."
	@$(PIP_INSTALL) --require-hashes -r $<
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e . $(if $(filter test,$*),$(COMPAT))
	@touch $@

$(VENV)/.docs: requirements/docs.txt $(VENV)/.demo
	@$(PIP_INSTALL) --require-hashes -r $<
	@touch $@
