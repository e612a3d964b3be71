# Gridlake. `make` alone lists the targets; `make demo` and `make test` set up everything they need.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

STATE ?= $(CURDIR)/.gridlake
WORKERS ?= 2
ARGS ?=
BIN := $(CURDIR)/.venv/bin
# The environment comes first so that `sam build` finds python3.13.
export PATH := $(BIN):$(PATH)
export GRIDLAKE_STATE := $(STATE)
export SAM_CLI_TELEMETRY := 0
# uv then trusts what the machine trusts, as pip and curl do.
export UV_SYSTEM_CERTS := 1
export AWS_DEFAULT_REGION ?= us-east-1
# A profile of the developer's own account must never leak into the local platform or a test.
unexport AWS_PROFILE
unexport PYTHONHOME
unexport VIRTUAL_ENV

TEMPLATES = template.yaml $(wildcard stacks/*.yaml)
PYTEST := $(BIN)/pytest

##@ Use
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	/^[a-z0-9_-]+:.*## / {printf "  \033[36m%-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST); echo

.PHONY: setup
setup: ## Install Python wheels from the hashed locks into .venv and .venv-emulator
	@.ci/setup

.PHONY: demo
demo: setup ## Build, deploy locally, ingest sample files, query over HTTP, plot
	@$(BIN)/gridlake demo $(ARGS)

.PHONY: up
up: setup ## Build the SAM application and start it on this machine
	@$(BIN)/gridlake up $(ARGS)

.PHONY: down
down: setup ## Stop the local platform, keep its data (ARGS=--purge to forget it)
	@$(BIN)/gridlake down $(ARGS)

.PHONY: status
status: setup ## Say what runs where
	@$(BIN)/gridlake status $(ARGS)

##@ Check
.PHONY: test
test: lint types ## Everything: lint, types, all tests with coverage (.ci/run)
	@$(PYTEST) -q -o console_output_style=count -n $(WORKERS) \
	  --cov --cov-report=term:skip-covered --cov-report=xml:out/coverage.xml tests $(ARGS)

.PHONY: lint
lint: style layers templates pages ## Style, import floors, templates, pages of datasets

.PHONY: style
style: setup ## ruff check and ruff format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "run 'make format'" >&2; exit 1; }

.PHONY: format
format: setup ## Reformat the sources
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

.PHONY: types
types: setup ## Static types: mypy strict
	@$(BIN)/mypy

.PHONY: layers
layers: setup ## Imports point down the floors of the package (import-linter)
	@PYTHONPATH=layers/shared:cli:local:samples $(BIN)/lint-imports --no-logo

.PHONY: templates
templates: setup ## cfn-lint and sam validate --lint on every template
	@$(BIN)/cfn-lint $(TEMPLATES)
	@printf '%s\n' $(TEMPLATES) | AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \
	  xargs -P 2 -I{} sh -c '$(BIN)/sam validate --lint -t {} >/dev/null || { $(BIN)/sam validate --lint -t {}; exit 255; }'

.PHONY: pages
pages: setup ## docs/datasets is what the contracts say
	@$(BIN)/python -m gridlake.contracts.pages contracts docs/datasets --check

.PHONY: unit
unit: setup ## Unit, property and security tests that start nothing
	@$(PYTEST) -q $(wildcard tests/unit tests/property tests/security) $(ARGS)

.PHONY: integration
integration: setup ## Tests against a real InfluxDB and a real local AWS
	@$(PYTEST) -q tests/integration $(ARGS)

.PHONY: e2e
e2e: setup ## The whole application, deployed and used as a user does
	@$(PYTEST) -q tests/e2e $(ARGS)

.PHONY: bench
bench: setup ## Measure against peers, write benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks.run $(ARGS)

##@ Build and deploy
.PHONY: build
build: setup ## sam build
	@$(BIN)/sam build $(ARGS)

.PHONY: deploy
deploy: build ## sam deploy to AWS (CONFIG=dev|staging|prod)
	@test -n "$(CONFIG)" || { echo "say where: make deploy CONFIG=dev" >&2; exit 2; }
	@$(BIN)/sam deploy --config-env $(CONFIG) $(ARGS)

.PHONY: lock
lock: setup ## Recompile the hashed locks from pyproject.toml and requirements/*.in
	@$(BIN)/uv pip compile $(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(BIN)/uv pip compile $(LOCK) --group dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/emulator.in -o requirements/emulator.txt
LOCK := --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.13

.PHONY: clean
clean: ## Remove what builds and tests leave (environments and the platform's state stay)
	@rm -rf .aws-sam build out .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Remove also the environments; refuses while the platform runs
	@if [ -x $(BIN)/gridlake ]; then $(BIN)/gridlake down --purge; fi
	@rm -rf .venv .venv-emulator .venv-bootstrap
