# The documented way in: `make demo` and `make test`. The environments live in .venv/ and are made
# again only when their lock file changes.

PYTHON ?= python3
DEMO := .venv/demo
TESTS := .venv/tests
CODE := entrypoint tests examples

.PHONY: help demo test lint format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO)/ready ## send a train through 18 institutions and show a survival curve
	$(DEMO)/bin/python examples/lung_survival/demo.py

test: lint ## run every check; without a container engine its tests are skipped
	$(TESTS)/bin/python -m pytest -n auto --dist loadgroup

lint: $(TESTS)/ready ## check style and types
	$(TESTS)/bin/ruff check $(CODE)
	$(TESTS)/bin/ruff format --check $(CODE)
	$(TESTS)/bin/mypy $(CODE)

format: $(TESTS)/ready ## rewrite the code in the project's style
	$(TESTS)/bin/ruff check --fix $(CODE)
	$(TESTS)/bin/ruff format $(CODE)

clean: ## remove everything that the other targets made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

$(DEMO)/ready: entrypoint/requirements.txt
	$(environment)
	@touch $@

$(TESTS)/ready: tests/requirements.txt
	$(environment)
	$(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# An environment starts empty, so that nothing of an older lock stays in it; and only wheels are
# installed, because building one would fetch tools that no lock names.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo '$(PYTHON) is not Python 3.11 or newer; name one: make demo PYTHON=python3.12' >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	echo '$(PYTHON) cannot make environments; on Debian: apt install python3-venv' >&2; exit 1; }
@echo 'setting up $(@D)'
@rm -rf $(@D)
@$(PYTHON) -m venv $(@D)
@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check \
	--only-binary :all: --require-hashes --requirement $<
endef
