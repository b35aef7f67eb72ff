# The vocabulary of the project. Needs Python 3.11+ and make; fetches the rest by the lock.
.DEFAULT_GOAL := help
# A uv on the PATH serves; otherwise one is put into .uv/, apart from the project's own environment.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
PAIRS ?= ../shared/faces/lfw/pairs.csv
# What a user runs needs neither TensorFlow nor the development tools.
RUN := $(UV) run --locked
RUN_DEV := $(RUN) --group dev

.PHONY: help demo test faults soak check format schemas docs screenshots thresholds bench scale image-check

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.7'

demo: $(UV)  ## the main job on sample photographs through the embedded broker
	$(RUN) facestream demo

test: $(UV)  ## the whole test suite
	$(RUN_DEV) pytest

faults: $(UV)  ## the tests of the faults at their full length, and the README's table of them
	rm -f build/faults.json
	SOAK=true $(RUN_DEV) pytest tests/faults
	$(RUN_DEV) python -m tests.faults.table README.md

soak: $(UV)  ## faults and load at their full length; draws memory and waits in build/soak.png
	SOAK=true $(RUN_DEV) pytest tests/faults tests/load

check: $(UV)  ## format, lint, types, known vulnerabilities of dependencies
	$(RUN_DEV) ruff format --check .
	$(RUN_DEV) ruff check .
	$(RUN_DEV) mypy
	.ci/audit

format: $(UV)  ## rewrite the code as `make check` wants it
	$(RUN_DEV) ruff format .
	$(RUN_DEV) ruff check --fix .

schemas: $(UV)  ## write schemas/json, schemas/asyncapi.yaml and docs/events.md anew
	$(RUN_DEV) facestream schemas --write

docs: $(UV)  ## draw docs/landmarks-106-to-68.png anew
	$(RUN) facestream landmarks --out docs/landmarks-106-to-68.png

screenshots: $(UV)  ## draw docs/playground*.png anew: needs chromium, and the weights of buffalo_s
	$(RUN_DEV) python -m tests.e2e.screenshots

thresholds: $(UV)  ## measure from which similarity on two faces are one person's; PAIRS=…/pairs.csv
	$(RUN_DEV) python -m benchmarks.thresholds $(PAIRS)

bench: $(UV)  ## stream and edge beside a bare loop and an afternoon's work: build/bench.json, build/bench.png
	mkdir -p build
	$(RUN) --extra bench facestream bench --json build/bench.json --plot build/bench.png

scale: $(UV)  ## growth with processes, and the cost of an event, on an Apache Kafka from Maven's jars
	mkdir -p build
	$(RUN_DEV) python -m tests.apache_kafka facestream bench --scale --json build/scale.json

image-check:  ## build both images with buildah on a Debian base, and try them (as root)
	deploy/check-images
