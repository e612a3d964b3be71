# What the builds of layers and functions share. `sam build` runs a copy of the folder in a scratch directory but names
# the Makefile by its true path, so ROOT is derived from this file's and never from the current directory.
.SILENT:
ROOT := $(abspath $(dir $(realpath $(lastword $(MAKEFILE_LIST))))/..)
# The checkout's own environment where there is one, so that `sam build` works whatever PATH says.
PYTHON := $(firstword $(wildcard $(ROOT)/.venv/bin/python) python3.13)
UV := $(firstword $(wildcard $(ROOT)/.venv/bin/uv) uv)
OUT = $(ARTIFACTS_DIR)/python
# uv then trusts what the machine trusts, as pip and curl do.
export UV_SYSTEM_CERTS := 1
# Wheels for Lambda's Amazon Linux 2023 (glibc 2.34), whatever machine builds; hashes keep the result the same.
# --no-deps: the lock lists everything, and what the Lambda runtime brings (boto3, botocore) is left out of it on purpose.
# uv hardlinks or copies from its cache (under a second); pip is the fallback and needs nothing but Python.
# $(1): folder of the requirements.txt, $(2): folder to install into.
define wheels
	if command -v $(UV) >/dev/null; then \
	  $(UV) pip install --quiet --target "$(2)" --python-version 3.13 --python-platform x86_64-manylinux_2_34 \
	    --link-mode copy --only-binary :all: --no-deps --require-hashes -r "$(1)/requirements.txt"; \
	else \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --target "$(2)" --no-compile --python-version 3.13 \
	    --implementation cp --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 \
	    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
	    --only-binary :all: --no-deps --require-hashes -r "$(1)/requirements.txt"; \
	fi
endef
define install
	rm -rf "$(ARTIFACTS_DIR)"/* && mkdir -p "$(OUT)"
	$(call wheels,$(1),$(OUT))
endef
# Console scripts, stubs and pip's records have no use in a layer; bytecode comes from `compile` alone.
define tidy
	rm -rf "$(1)/bin" "$(1)/.lock" "$(1)/.gitignore"
	find "$(1)" -name __pycache__ -type d -prune -exec rm -rf {} +
	find "$(1)" \( -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name direct_url.json -o -name uv_cache.json \) -path '*.dist-info/*' -delete
	find "$(1)" \( -name '*.pyi' -o -name py.typed \) -delete
endef
# /opt and /var/task are read-only, so what has no bytecode is compiled again at every cold start. Hash-based bytecode
# carries no timestamp and no build path: the same sources give the same bytes. $(1): folder, $(2): its path in Lambda.
define compile
	$(PYTHON) -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$(1)" -p "$(2)" "$(1)"
endef
