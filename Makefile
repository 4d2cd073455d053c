# The front door. `make` lists every target; the work is in scripts/.
SHELL := bash
.SHELLFLAGS := -Eeuo pipefail -c
.DEFAULT_GOAL := help

# knobs: make KNOB=value target, or from the environment
BASE ?= debian##          root image: debian or alpine
DEBIAN_VERSION ?= trixie-slim##  tag of the Debian root image
ALPINE_VERSION ?= 3.23##   tag of the Alpine root image
APT_MIRROR ?=##            Debian mirror for builders, its security suite at $APT_MIRROR-security
ALPINE_MIRROR ?=##         Alpine mirror for builders
PIP_INDEX_URL ?=##         Python package index
CARGO_REGISTRY ?=##        cargo registry index, such as sparse+https://…
GOPROXY ?=##               proxy of Go modules
NPM_REGISTRY ?=##          registry of npm packages
BUILDER ?=##               builder of buildx that builds, instead of the engine's own BuildKit
PLATFORMS ?=##             prod, build, roots, verify-*, promote, budgets: linux/amd64,linux/arm64 (docs/platforms.md)
CACHE ?=##                 build cache: host/path of a registry, or a folder (./cache)
CA_BUNDLE ?=##             certificates that builders trust; the system's bundle without it
FORMAT ?= table##          output of verify-*, history, diff, why-slow, floor, graph, affected, outdated: table or json; outdated also markdown, github, verify-* also markdown, junit, github
SCREENSHOT ?=##            report: PNG file for a picture of the page's top (needs Chromium)
VERSION ?=##               prod, promote, rebase, checker-image: also set the tags 1.4.2, 1.4 and 1
REGISTRY ?=##              prod, promote, rebase, rollback, checker-image: host/path of a registry that gets the images too; attest: that gets the image
SIGN_KEY ?=##              prod, promote, rebase, checker-image: cosign's key that signs what REGISTRY gets (docs/signing.md)
TRANSPARENCY_LOG ?=##      prod, promote, rebase, checker-image: address of a Rekor that gets what SIGN_KEY signs; none without it
COMPRESSION ?= gzip##      promote to a registry, verify-sizes: gzip or zstd
PULL_RATE ?=##             verify, promote: what a fresh node pulls a second, default 12.5 MB
UNPACK_RATE ?=##           verify, promote: what a fresh node unpacks a second, default 100 MB
KEEP ?= 5##                promote: how many promotions to keep for rollback
ALLOW_DIRTY ?=##           1: promote images even if no clean commit names them
ALLOW_UNCOMPARED ?=##      1: skip the comparison where git has no earlier budgets
DRY_RUN ?=##               1: promote, rollback, checker-image, update, budgets, seccomp, clean and *-service show what they would change
IMAGE ?=##                 explain, cleanup-report, why-slow, floor, seccomp, debug, diff, reproduce, sbom, attest, vex: an image of images.yaml
CVE ?=##                   vex: the vulnerability, such as CVE-2026-1234
PURL ?=##                  vex: the component that has it, as `make sbom` names it
PART ?=##                  vex: where its code is in the component, such as scipy/odr/
CONTAINER ?=##             debug: a container that runs
TOOLS ?=##                 debug: the image with the tools; default sutra-base-python:latest
COMMAND ?=##               debug: a command to run instead of a shell
REQUESTS ?=##              floor: a file of requests for the service, `GET /path` a line
SINCE ?=##                 affected: a commit or branch, such as main
DIGEST ?=##                reproduce: which promoted image; default: the current one
BUILT ?=##                 1: rebase takes the bases that are here and builds none
FROM ?=##                  diff, why-slow: the earlier image; default IMAGE:latest
TO ?=##                    diff: the later image, default IMAGE:prod; rollback: a version or number; rename-service: the new name
FILES ?=##                 diff: a new folder that gets the files that differ
FILE ?=##                  explain: a file, such as numpy/testing/__init__.py
YES ?=##                   1: clean and remove-service do not ask
DATA ?=##                  1: clean removes the data volumes too
ALL ?=##                   1: clean removes what rollback needs too
REFRESH ?=##               bases: prod and build run the steps of base images again, for updates of packages
TESTS ?=##                 skip: promote without the packages' own tests, never a version
NAME ?=##                  new-, remove-, rename-service: a service's image, such as sutra-example
LANGUAGE ?=##              new-service: python, rust, go or node
PORT ?=##                  new-service: port to listen on; default: the next free one
PACKAGE ?=##               test-package: a service; lock: a folder of packages/; try-package: a name on PyPI
UPGRADE ?=##               lock: names to upgrade in PACKAGE, separated by commas, or all
ONLY ?=##                  update: security, or debian
FULL ?=##                  1: bench-services builds an index of 100,000 concepts too
DURATIONS ?=##             1: show how long steps took last time without a terminal too, as in pipelines
TARGET ?=##                fuzz: one reader; default: all
SECONDS ?= 60##            fuzz: how long each reader is fuzzed
PYTHON ?= python3##        interpreter that makes .venv, 3.11 or newer
export DURATIONS BASE PLATFORMS DEBIAN_VERSION ALPINE_VERSION APT_MIRROR ALPINE_MIRROR PIP_INDEX_URL CARGO_REGISTRY GOPROXY NPM_REGISTRY CA_BUNDLE PYTHON

PY := .venv/bin/python -m
RUN := $(PY) scripts
# every target is a command; a file of its name must not end it
.PHONY: $(shell awk -F: '/^[a-z-]+:/ { print $$1 }' $(firstword $(MAKEFILE_LIST)))

help: ## list targets and knobs
	@awk -f scripts/help.awk Makefile

# ---- build ----------------------------------------------------------------

prod: ## build, verify and promote the production images: everything, from nothing
	@./build-prod.sh

build: engine venv ## build the production images, without checks
	@scripts/timed.sh build $(RUN) build

dev: ## build the development images (./build.sh)
	@scripts/timed.sh dev ./build.sh

graph: venv ## show which image is built from which, which layers are shared, what a change rebuilds
	@$(RUN) graph

affected: venv ## name the images that the changes since a commit rebuild, for CI (SINCE=main)
	@$(RUN) affected

checker-image: engine venv ## build the image of the checker, check it by itself, and tag it latest (VERSION=… REGISTRY=… SIGN_KEY=… DRY_RUN=1)
	@$(RUN) checker-image

roots: engine venv ## refresh the root image, where no registry serves it
	@$(RUN) roots
	@REFRESH=bases $(RUN) build builders

engine: ## find a Docker engine with buildx, or install and start one
	@scripts/timed.sh engine scripts/engine.sh

engine-stop: ## end the engine that `make engine` started, no other
	@scripts/engine.sh stop

# ---- check ----------------------------------------------------------------

verify: engine venv ## check everything that images.yaml promises: sizes, contents, runtime
	@$(RUN) verify

verify-sizes: venv ## check every image's sizes against images.yaml
	@$(RUN) verify-sizes

record-sizes: engine venv ## record sizes of this commit, which pull requests are held against
	@$(RUN) record-sizes

comment-sizes: venv ## comment a pull request with what it changes in sizes, in GitHub's workflow
	@scripts/comment_sizes.sh

verify-contents: venv ## check what every image holds against docs/verification.md
	@$(RUN) verify-contents

verify-runtime: engine venv ## start every image hardened: modules, health, memory, stop, writes
	@scripts/timed.sh verify-runtime $(RUN) verify-runtime

report: engine venv ## check everything and write .build/report.html (SCREENSHOT=docs/report.png)
	@scripts/timed.sh report $(RUN) report

debug: engine venv ## open a shell with tools beside a container that has none (IMAGE=… or CONTAINER=…)
	@$(RUN) debug

why-slow: engine venv ## show what a service imports at its start, and what could wait (IMAGE=…)
	@$(RUN) why-slow "$(IMAGE)"

floor: engine venv ## show which bytes of a service are opened, and propose cleanup rules (IMAGE=… REQUESTS=…)
	@$(RUN) floor "$(IMAGE)"

seccomp: engine venv ## record a service's system calls, and write its seccomp profile (IMAGE=… DRY_RUN=1)
	@$(RUN) seccomp "$(IMAGE)"

diff: venv ## show what was added, removed or grew between two images (IMAGE=… FROM=ref TO=ref)
	@$(RUN) diff "$(IMAGE)"

explain: venv ## show which cleanup rule keeps or removes a file (IMAGE=… FILE=…)
	@$(RUN) explain "$(IMAGE)" "$(FILE)"

cleanup-report: venv ## show what the cleanup took out of an image (IMAGE=…)
	@$(RUN) cleanup-report "$(IMAGE)"

# ---- release --------------------------------------------------------------

promote: venv ## verify, then move :latest to what passed (VERSION=… REGISTRY=… SIGN_KEY=… DRY_RUN=1)
	@$(RUN) promote

sbom: engine venv ## write an image's bill of materials to .build/sbom: SPDX and CycloneDX (IMAGE=…)
	@$(RUN) sbom "$(IMAGE)"

attest: engine venv ## build an image into a registry with the bill that BuildKit attaches to it (IMAGE=… REGISTRY=… BUILDER=…)
	@$(RUN) attest "$(IMAGE)"

outdated: venv ## name locked Debian packages, Python distributions and crates with newer versions or advisories (FORMAT=markdown)
	@scripts/timed.sh outdated $(RUN) outdated

update: venv-dev ## take newer versions into the locks, shown first (ONLY=security, ONLY=debian, DRY_RUN=1)
	@$(RUN) update

vex: venv ## state that a vulnerability does not affect an image, from its cleanup (IMAGE=… CVE=… PURL=… PART=…)
	@$(RUN) vex $(if $(IMAGE),"$(IMAGE)")

reproduce: engine venv ## build a promoted image again, without cache: identical, or what differs (IMAGE=… DIGEST=…)
	@scripts/timed.sh reproduce $(RUN) reproduce "$(IMAGE)"

rebase: engine venv ## build the bases again, put the services on them without a rebuild, verify, promote (BUILT=1)
	@scripts/timed.sh rebase $(RUN) rebase

rollback: venv ## verify what was promoted before, and move the tags back (TO=… DRY_RUN=1)
	@$(RUN) rollback

history: venv ## show what was promoted, newest first (FORMAT=json for all of it)
	@$(RUN) history

budgets: venv ## lower each size budget to what is measured plus 2 % (DRY_RUN=1 shows it)
	@$(RUN) budgets

# ---- clean ----------------------------------------------------------------

clean: venv ## remove this project's containers, networks, images and cache, after showing them and asking
	@$(RUN) clean

# ---- services --------------------------------------------------------------

new-service: venv ## add a service from its language's sample (NAME=… LANGUAGE=… PORT=… DRY_RUN=1)
	@$(RUN) new-service

remove-service: venv ## remove a service, after asking (NAME=… DRY_RUN=1 YES=1)
	@$(RUN) remove-service

rename-service: venv ## give a service another name (NAME=… TO=… DRY_RUN=1)
	@$(RUN) rename-service

# ---- develop --------------------------------------------------------------

test: venv-dev ## run the tests, long suites in their fast form; starts an engine if none runs
	@scripts/timed.sh test scripts/test.sh

test-all: venv-dev ## run every test, the long suites whole
	@scripts/timed.sh test-all scripts/test.sh -m ""

test-unit: venv-dev ## run the tests that need no engine
	@scripts/timed.sh test-unit $(PY) pytest --numprocesses auto tests/unit

test-package: engine venv ## run one service's own tests, on its cleaned tree (PACKAGE=…)
	@scripts/timed.sh test-package $(RUN) test-package "$(PACKAGE)"

try-package: venv-dev ## run the shared cleanup rules on a fresh install, and show what it needs (PACKAGE=sqlalchemy)
	@$(RUN) try-package "$(PACKAGE)"

test-packages: venv-dev ## try the 60 packages of tests/packages, and write docs/packages.md (20 minutes)
	@scripts/timed.sh test-packages $(RUN) try-package --list tests/packages/packages.tsv --write

test-engines: engine venv-dev ## build the product on other engines and builders, and write docs/engines.md (40 minutes)
	@scripts/timed.sh test-engines-suite $(PY) pytest tests/engines/test_*.py tests/engines/farm.py tests/engines/registry_cache.py
	@scripts/timed.sh test-engines-matrix $(PY) tests.engines

test-platforms: engine venv-dev ## build and check all images of the other platform (half an hour; needs its emulator)
	@scripts/timed.sh test-platforms $(PY) pytest -s tests/engines/emulated.py

test-kubernetes: engine venv-dev ## deploy to a real control plane and a real node, compiled once (10 minutes of CPU; needs Go)
	@scripts/timed.sh test-kubernetes $(PY) pytest -s tests/kubernetes/test_*.py tests/kubernetes/real_apiserver.py tests/kubernetes/one_node.py

test-swarm: engine venv-dev ## run the stack on three hosts in network namespaces, and lose some (5 minutes)
	@scripts/timed.sh test-swarm $(PY) pytest -s tests/swarm/test_*.py tests/swarm/three_hosts.py

test-workflow: engine venv-dev ## run GitHub's workflows on this machine, by act (20 minutes; needs Go once)
	@scripts/timed.sh test-workflow $(PY) tests.workflows

test-podman: engine venv-dev ## run the images under Debian 13's Podman: quadlet and kube play (3 minutes)
	@scripts/timed.sh test-podman $(PY) pytest tests/podman/test_*.py tests/podman/real_podman.py

test-postgres: ## run the storage's HTTP tests on a PostgreSQL that is started for them
	@scripts/timed.sh test-postgres scripts/postgres.sh cargo test --manifest-path packages/sutra-storage/Cargo.toml --locked --features postgres --test server -- http:: postgres::

test-pythons: venv-dev ## run the unit tests on the Pythons of Debian's releases and of PATH
	@scripts/timed.sh test-pythons $(PY) tests.pythons

fuzz: venv ## fuzz the readers of hostile input with atheris (TARGET=tar SECONDS=60)
	@scripts/venv.sh fuzz
	@SECONDS="$(SECONDS)" TARGET="$(TARGET)" .venv-fuzz/bin/python -m tests.fuzz

test-alpine: venv-dev ## run the tests on a real Alpine, made from packages of PyPI and Debian
	@scripts/timed.sh test-alpine $(PY) pytest -m "" tests/alpine

lint: venv-dev ## check style: ruff, mypy, imports, shellcheck, shfmt, hadolint, yamllint, actionlint
	@scripts/timed.sh lint scripts/lint.sh

format: venv-dev ## rewrite Python and shell files in the project's style
	@scripts/lint.sh --fix

lock: venv-dev ## resolve every lock again, with hashes; one package's with PACKAGE=… UPGRADE=…
	@scripts/timed.sh lock scripts/lock.sh

bench: engine venv-dev ## measure rebuilds, rebase, bytecode modes, readers, a fresh node, an update, build caches, and Debian beside Alpine
	@scripts/timed.sh bench-rebuilds $(RUN) bench rebuilds
	@scripts/timed.sh bench-startup $(RUN) bench startup
	@scripts/timed.sh bench-rebase $(RUN) bench rebase
	@scripts/timed.sh bench-readers $(RUN) bench readers
	@scripts/timed.sh bench-fresh $(RUN) bench fresh
	@scripts/timed.sh bench-update $(RUN) bench update
	@scripts/timed.sh bench-bases $(PY) tests.alpine $(RUN) bench bases
	@scripts/timed.sh bench-caches $(PY) tests.engines.cache_bench

bench-storage: ## compare the storage with SQLite, redb and fjall, and its allocator with malloc (20 minutes)
	@scripts/timed.sh bench-storage packages/sutra-storage/benches/run.sh

bench-backends: venv ## compare the storage's log with PostgreSQL, kill a migration, and write docs/scaling.md (3 minutes once compiled)
	@scripts/timed.sh bench-backends $(RUN) bench backends --readme

bench-services: engine venv-dev ## measure API against storage, /similar over HTTP, and the index (FULL=1)
	@scripts/timed.sh bench-services $(RUN) bench services

readme: engine venv ## write the table of sizes into README.md
	@$(RUN) readme

controls: venv ## write the tables of CIS and NIST controls into docs/controls.md
	@$(RUN) controls

venv: ## make .venv hold what the commands need
	@scripts/venv.sh

venv-dev: venv ## make .venv hold what tests and linters need as well
	@scripts/venv.sh dev
