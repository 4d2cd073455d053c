# The front door. `make` lists every target; the work is in scripts/.
SHELL := bash
.SHELLFLAGS := -Eeuo pipefail -c
.DEFAULT_GOAL := help

# ---- knobs: make KNOB=value target, or from the environment ----------------
BASE ?= debian##          root image: debian or alpine
DEBIAN_VERSION ?= trixie-slim##  tag of the Debian root image
ALPINE_VERSION ?= 3.23##   tag of the Alpine root image
APT_MIRROR ?=##            Debian mirror for builders, its security suite at $APT_MIRROR-security
ALPINE_MIRROR ?=##         Alpine mirror for builders
PIP_INDEX_URL ?=##         Python package index
CARGO_REGISTRY ?=##        cargo registry index, such as sparse+https://…
CA_BUNDLE ?=##             certificates that builders trust; the system's bundle without it
FORMAT ?= table##          of verify-sizes: table, markdown or json
DRY_RUN ?=##               1: promote shows what it would move
IMAGE ?=##                 of explain and cleanup-report: an image of images.yaml
FILE ?=##                  of explain: a file, such as numpy/testing/__init__.py
PYTHON ?= python3##        interpreter that makes .venv, 3.11 or newer
export BASE DEBIAN_VERSION ALPINE_VERSION APT_MIRROR ALPINE_MIRROR PIP_INDEX_URL CARGO_REGISTRY CA_BUNDLE PYTHON

RUN := .venv/bin/python -m
.PHONY: help prod build dev verify-sizes promote explain cleanup-report engine engine-stop roots venv venv-dev \
  test test-unit bench lint format lock readme

help: ## list targets and knobs
	@awk -f scripts/help.awk Makefile

# ---- images ----------------------------------------------------------------

prod: ## build, verify and promote the production images: everything, from nothing
	@./build-prod.sh

build: engine venv ## build the production images, without checks
	@$(RUN) scripts.build prod

dev: ## build the development images (./build.sh)
	@./build.sh

verify-sizes: venv ## check every image's sizes against images.yaml
	@$(RUN) scripts.verify_sizes --format $(FORMAT)

promote: venv ## verify, then move :latest to what passed (DRY_RUN=1 shows it)
	@$(RUN) scripts.promote $(if $(DRY_RUN),--dry-run)

explain: venv ## say which cleanup rule keeps or removes a file (IMAGE=… FILE=…)
	@$(RUN) scripts.explain "$(IMAGE)" "$(FILE)"

cleanup-report: venv ## show what the cleanup took out of an image (IMAGE=…)
	@$(RUN) scripts.cleanup_report "$(IMAGE)"

# ---- what they need --------------------------------------------------------

engine: ## find a Docker engine with buildx, or install and start one
	@scripts/engine.sh

engine-stop: ## end the engine that `make engine` started, no other
	@scripts/engine.sh stop

roots: engine venv ## refresh the root image, where no registry serves it
	@$(RUN) scripts.roots

venv:
	@scripts/venv.sh

venv-dev: venv
	@scripts/venv.sh dev

# ---- development -----------------------------------------------------------

test: venv-dev ## run every test; starts an engine if none runs, and stops it again
	@$(RUN) pytest

test-unit: venv-dev ## run the tests that need no engine
	@$(RUN) pytest tests/unit

bench: engine venv ## measure rebuild times against bare bake, printed as ratios
	@$(RUN) scripts.bench

lint: venv-dev ## check style: ruff, mypy, shellcheck, shfmt, hadolint, yamllint
	@scripts/lint.sh

format: venv-dev ## rewrite Python and shell files in the project's style
	@scripts/lint.sh --fix

lock: venv-dev ## resolve every requirements.in again, with hashes
	@scripts/lock.sh

readme: engine venv ## write the table of sizes into README.md
	@$(RUN) scripts.readme
