# The documented way in: `make demo` and `make test`. The environments live in .venv/ and are made
# again only when their lock file changes.

PYTHON ?= python3
DEMO := .venv/demo
TESTS := .venv/tests
CODE := entrypoint master_images tests examples
FAST := tests/unit tests/layers tests/vectors
DOCKERFILES := $(wildcard master_images/*/Dockerfile master_images/*/base/Dockerfile \
	examples/*/Dockerfile)

# Arguments of pytest: the tests to run, in place of all.
T :=

# What `make wheels` and `make image` can be told: an image (a folder of master_images, or with more
# packages a name in master_images/packages, like slim-science), another base image, the Python in it
# that the runner uses (else `python3`), a tag, the platform as Docker spells it (else this machine's),
# where the source is published (else where it was cloned from, without a password), and options for
# `docker build`.
IMAGE ?= slim
BASE_IMAGE ?=
RUNNER_PYTHON ?=
TAG ?= pht-master:$(IMAGE)
PLATFORM ?=
SOURCE ?= $(shell git remote get-url origin 2>/dev/null | sed -n 's|://[^/]*@|://|; /^[^/]*:/p')
BUILD ?=
MASTER = $(firstword $(subst -, ,$(IMAGE)))
BASE = $(if $(BASE_IMAGE),,$(wildcard master_images/$(MASTER)/base))
ALIAS = $(subst :buster-,:debian-,$(patsubst %:buster,%:debian,$(TAG)))
PACKAGES = $(if $(wildcard master_images/packages/$(IMAGE).txt),$(IMAGE),plain)
THIS = linux/$(subst aarch64,arm64,$(subst x86_64,amd64,$(shell uname -m)))
WHEELS = build/wheels/$(PACKAGES)/$(notdir $(or $(PLATFORM),$(THIS)))
ON = $(if $(PLATFORM),--platform $(PLATFORM))
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' entrypoint/__init__.py)
REVISION = $(shell git rev-parse HEAD 2>/dev/null)

.PHONY: help demo test test-fast attacks engines coverage lint bench errors-page fuzz hostile-images format wheels image sbom clean engine-docker

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(ENGINE:%=engine-%) $(DEMO)/ready $(ENGINE:%=image) ## show a survival curve of 18 institutions; ENGINE=docker: in containers
	$(DEMO)/bin/python examples/lung_survival/demo.py $(ENGINE:%=--image $(TAG))

test: $(if $(T),,lint) $(TESTS)/ready ## run every check; with T=tests/unit only these tests
	$(TESTS)/bin/python -m pytest -n auto $(T)

test-fast: $(TESTS)/ready ## run the quick tests: no container, less than a minute
	$(TESTS)/bin/python -m pytest -n auto -m 'not container and not slow' $(FAST)

attacks: $(TESTS)/ready ## run a hostile train in every set-up of containers
	$(TESTS)/bin/python -m pytest -n auto -m '' tests/attacks

engines: $(TESTS)/ready ## run all cases in every engine and write the table of docs/engines.md, then the container tests in gVisor
	$(TESTS)/bin/python -m tests.engines
	env -u DOCKER_HOST PHT_TEST_RUNTIME=runsc PHT_TEST_REQUIRE_ALL=1 \
		$(TESTS)/bin/python -m pytest -n auto tests/containers tests/trains

coverage: $(TESTS)/ready ## list lines that no test reaches; with T=tests/unit, that these tests do not reach
	$(TESTS)/bin/python -m tests.covered $(T)

lint: $(TESTS)/ready ## check style and types
	$(TESTS)/bin/ruff check $(CODE)
	$(TESTS)/bin/ruff format --check $(CODE)
	$(TESTS)/bin/mypy $(CODE)
	$(TESTS)/bin/hadolint $(DOCKERFILES)

bench: $(TESTS)/ready ## measure speed and memory for docs/benchmarks.md; with FULL=1 4 GiB too
	$(TESTS)/bin/python -m tests.bench $(if $(FULL),--full)

errors-page: $(TESTS)/ready ## write docs/errors.md from the code
	$(TESTS)/bin/python -m tests.docs.errors_page

fuzz: $(TESTS)/ready ## look for archives of images that break the reader; SECONDS=60
	$(TESTS)/bin/python -m tests.fuzz.images -max_total_time=$(or $(SECONDS),600) build/fuzz

hostile-images: $(TESTS)/ready ## write docs/hostile-images.md: what others say about hostile images
	$(TESTS)/bin/python -m tests.adversarial.hostile_images.page

format: $(TESTS)/ready ## rewrite the code in the project's style
	$(TESTS)/bin/ruff check --fix $(CODE)
	$(TESTS)/bin/ruff format $(CODE)

wheels: $(WHEELS)/ready ## fetch the locked wheels that an image is built from; PLATFORM=linux/arm64

image: wheels ## build a master image: make image IMAGE=slim-science
	$(if $(BASE),docker build --tag pht-base:$(MASTER) $(ON) $(BUILD) $(BASE))
	docker build --network none $(addprefix --tag ,$(TAG) $(filter-out $(TAG),$(ALIAS))) \
		--file master_images/$(MASTER)/Dockerfile $(ON) \
		--build-arg PACKAGES=$(PACKAGES) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
		$(if $(RUNNER_PYTHON),--build-arg RUNNER_PYTHON=$(RUNNER_PYTHON)) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
		--build-arg SOURCE='$(SOURCE)' $(BUILD) .

sbom: $(TESTS)/ready ## write build/sbom.json: what the runner is made of, in CycloneDX
	@rm -rf build/closure
	@$(PYTHON) -m venv --without-pip build/closure
	@$(TESTS)/bin/python -m pip --python build/closure/bin/python install --quiet \
		--disable-pip-version-check --require-hashes --requirement entrypoint/requirements.txt
	@sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml >build/pyproject.toml
	$(TESTS)/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom.json \
		--pyproject build/pyproject.toml --mc-type application build/closure

clean: ## remove everything that the other targets made
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

engine-docker:
	@docker version >/dev/null || { \
		echo 'no container engine answers; make demo needs none without ENGINE=docker' >&2; exit 1; }

engine-%:
	@echo 'ENGINE=$* is none that the demo can use: say ENGINE=docker, or nothing' >&2; exit 1

$(WHEELS)/ready: entrypoint/requirements.txt master_images/pip.txt \
		master_images/packages/$(PACKAGES).txt master_images/wheels.py | $(DEMO)/ready
	$(DEMO)/bin/python master_images/wheels.py $(PACKAGES) $(or $(PLATFORM),$(THIS))
	@touch $@

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
