# The project's front door. Each target sets up what it needs first.
# Not from the environment: VENV=… there may be somebody's own.
VENV = .venv
NOTEBOOKS ?= notebooks
export VENV
# Not $(abspath …): that takes a name with blanks for several.
export PATH := $(if $(filter /%,$(firstword $(VENV))),$(VENV),$(CURDIR)/$(VENV))/bin:$(PATH)

.PHONY: help setup setup-docs setup-test run lab check test bench store slides docs clean

help: ## show this
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## install what is missing, make .venv, build the guest, the images, the embedded engine
	@bash .ci/setup "$$VENV"

setup-test: # the same, and what the tests need: Docker, a browser
	@bash .ci/setup "$$VENV" test

run: setup ## run all notebooks (or NOTEBOOKS=…), write build/*.html, end with a table
	@python -m course_magics.course run $(NOTEBOOKS) --out build

lab: setup ## open the notebooks in JupyterLab
	@cd notebooks && jupyter lab --ip=127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root)

setup-docs: # the same, and what the site and the slides need
	@bash .ci/setup "$(VENV)" docs

check: ## style, types, imports and unit tests, in a minute; needs Python alone
	@bash .ci/setup "$$VENV" check
	@ruff check . && ruff format --check --quiet . && mypy && lint-imports --no-logo --no-cache
	@python -m pytest tests/unit -n 2 --dist load -q

test: setup-test ## run every test (COURSE_REQUIRE=all: nothing may be skipped)
	@bash .ci/test

bench: setup-test ## the magics beside the plain commands, as ratios
	@python -m benchmarks

store: setup ## run the notebooks and store their outputs in them
	@python -m course_magics.course store notebooks

slides: setup-docs ## the notebooks as slides in build/slides, for a browser without network
	@python -m course_magics.course slides notebooks --out build/slides

docs: setup-docs ## the site of notebooks, pages and API in build/docs
	@python -m course_magics.course docs --out build/docs

clean: ## remove build/, the notebooks' machines, a .venv and a dockerd that setup made
	@bash .ci/clean "$$VENV"
