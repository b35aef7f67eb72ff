# The vocabulary of the project. Needs Python 3.11+ and make; fetches the rest by the lock.
.DEFAULT_GOAL := help
# A uv on the PATH serves; otherwise one is put into .uv/, apart from the project's own environment.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
RUN := $(UV) run --locked
# What a user runs needs neither TensorFlow nor the development tools.
RUN_BARE := $(UV) run --locked --no-dev

.PHONY: help demo test check format schemas bench

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.7'

demo: $(UV)  ## the main job on sample photographs through the embedded broker
	$(RUN_BARE) facestream demo

test: $(UV)  ## the whole test suite
	$(RUN) pytest

check: $(UV)  ## format, lint, types
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: $(UV)  ## rewrite the code as `make check` wants it
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

schemas: $(UV)  ## write schemas/json and schemas/asyncapi.yaml anew
	$(RUN) facestream schemas --write

bench: $(UV)  ## images a second of the stream beside a bare loop over the same models
	$(RUN) facestream bench
