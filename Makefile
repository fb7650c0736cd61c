# `make help` lists the targets; all of them work in .venv, which the first one sets up from the lock.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

# The interpreter of .venv; empty takes the first suitable one on PATH.
PYTHON ?=
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
# More arguments, such as ARGS="data.path=adult.csv data.target=income" for `make run`.
ARGS ?=
BENCH ?= scores
FUZZ_S ?= 300
# Not in the lock, since it is built for some platforms only.
ATHERIS := atheris==3.0.0
FUZZ := $(VENV)/fuzz

STAGE ?= serving
IMAGE ?= modelyard-$(STAGE)
BASE ?=

# No address of an index, so that each environment's own holds.
COMPILE := $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --quiet
# What is in an image is a part of what the tests ran with.
COMPILE_IMAGE := $(COMPILE) --python-platform linux --no-annotate -c requirements/lock.txt

# One file stays on one worker, so that what a module's tests share is made once; tests/conftest.py gives the order.
PYTEST := -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# What needs more than this environment has targets of its own.
LOCAL := not browser and not cluster and not extras and not hostile and not mutants
# cosmic-ray, whose other dependencies are not needed and would fit the lock badly
MUTATIONS := build/mutations

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  make %-14s %s\n' "$$target" "$$text"; done

.PHONY: run
run: $(READY) ## table to answered prediction on this machine; ARGS="data.path=... data.target=..." for your own
	$(BIN)/modelyard run $(ARGS)

.PHONY: serve-dev
serve-dev: $(READY) ## serve the champion by FastAPI on 127.0.0.1:8000, or at api.host and api.port (PORT=..., ARGS="api.port=...")
	$(BIN)/python -m modelyard.api $(if $(PORT),--port $(PORT)) $(ARGS)

.PHONY: test
test: $(READY) ## all tests that need neither root nor a browser nor a cluster
	$(BIN)/python $(PYTEST) -m "$(LOCAL)"

.PHONY: all-checks
all-checks: format-check lint types layers coverage test-extras ## everything that must hold before a commit lands

.PHONY: format
format: $(READY) ## rewrite the code in the house's format
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

.PHONY: format-check
format-check: $(READY) ## the code's format
	$(BIN)/ruff format --check

.PHONY: lint
lint: $(READY) ## ruff's rules
	$(BIN)/ruff check

.PHONY: types
types: $(READY) ## mypy --strict on the three source roots
	$(BIN)/mypy

.PHONY: layers
layers: $(READY) ## who may import whom
	$(BIN)/lint-imports

.PHONY: coverage
coverage: $(READY) ## the tests of `make test` with branch coverage, subprocesses and Ray workers included
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST) -m "$(LOCAL)"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

.PHONY: test-extras
test-extras: $(READY) ## each extra installed alone into a fresh environment, and used
	$(BIN)/python -m pytest -m extras

.PHONY: test-browser
test-browser: $(READY) ## the pages in a real Chromium (/usr/bin/chromium)
	$(BIN)/python -m pytest -m browser

.PHONY: test-mutants
test-mutants: $(READY) ## each Prometheus rule of the chart broken in turn, which a case must notice; needs promtool
	$(BIN)/python -m pytest -m mutants

.PHONY: test-hostile
test-hostile: $(READY) ## every attack on a packed service of 512 MiB; `make test` has the short form
	$(BIN)/python -m pytest tests/hostile $(ARGS)

.PHONY: test-mutations
test-mutations: $(READY) ## 300 small faults in the code, each of which a unit test must notice; ARGS="--seed 1"
	$(BIN)/uv pip install --quiet --target $(MUTATIONS) --no-deps --require-hashes \
		--requirement tests/mutations/requirements.txt
	PYTHONPATH=$(MUTATIONS) $(BIN)/python tests/mutations/mutate.py $(ARGS)

.PHONY: fuzz
fuzz: $(READY) $(FUZZ)/atheris ## odd bodies for each reader of requests, FUZZ_S seconds each (300); Linux
	for program in rows v2 arrow; do \
		PYTHONPATH=tests:$(FUZZ) $(BIN)/python tests/fuzz/$$program.py -max_total_time=$(FUZZ_S) -max_len=8192 \
			-timeout=60 -print_final_stats=1 -verbosity=0 -artifact_prefix=$(FUZZ)/ $(ARGS) || exit 1; \
	done

$(FUZZ)/atheris: | $(READY)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --target $(FUZZ) $(ATHERIS)

.PHONY: test-cluster
test-cluster: $(READY) ## on a Kubernetes of its own on this machine, as root; ARGS=--bed=none for that of KUBECONFIG
	$(BIN)/python -m pytest -o faulthandler_timeout=1200 $(ARGS) tests/cluster

.PHONY: push-charts
push-charts: ## both charts as OCI artifacts, by Helm: REGISTRY=oci://localhost:5000/charts ARGS=--plain-http
	rm -rf dist/charts
	for chart in charts/*/; do helm package --destination dist/charts "$$chart"; done
	for chart in dist/charts/*.tgz; do helm push "$$chart" $(REGISTRY) $(ARGS) || exit 1; done

.PHONY: bench
bench: $(READY) ## measure a section of docs/benchmarks.md anew: BENCH=scores, parity, serving and so on, ARGS=DATA_FOLDER
	$(BIN)/python bench/record.py $(BENCH) $(ARGS)

.PHONY: image
image: ## an image of the Dockerfile: STAGE=serving, serving-sklearn or training; BASE=... for another Python 3.11
	docker build --target $(STAGE) --tag $(IMAGE) $(if $(BASE),--build-arg BASE=$(BASE)) \
		--build-arg LOCK=sha256:$$(sha256sum < requirements/$(STAGE).txt | cut -c1-64) \
		--build-arg PACKAGES=$$(sed -n 's/^\([a-z0-9][^ ]*==[^ ;]*\).*/\1/p' requirements/$(STAGE).txt | paste -sd,) \
		$(ARGS) .

.PHONY: rules
rules: $(READY) ## write the chart's Prometheus rules anew, from platform/modelyard/monitoring/rules.py
	$(BIN)/python -m modelyard.monitoring.rules charts/modelyard-serving/files/rules

.PHONY: dashboards
dashboards: $(READY) ## write the charts' Grafana dashboards anew, from platform/modelyard/monitoring/dashboards.py
	$(BIN)/python -m modelyard.monitoring.dashboards charts

.PHONY: lock
lock: $(BIN)/uv ## compile requirements/*.txt again; add ARGS=--upgrade for newer versions
	$(COMPILE) --all-extras --group dev --universal $(ARGS) -o requirements/lock.txt
	$(COMPILE_IMAGE) --extra serving --extra tracing -o requirements/serving.txt
	$(COMPILE_IMAGE) --extra serving --extra tracing --extra train --extra log -o requirements/serving-sklearn.txt
	$(COMPILE_IMAGE) --extra training --extra tracing -o requirements/training.txt

.PHONY: clean
clean: ## remove the environment and everything that was built, but no run and no model
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
		.hypothesis
	rm -rf platform/*.egg-info tuning/*.egg-info bentos/*.egg-info *.egg-info
	find platform tuning bentos tests -name __pycache__ -type d -prune -exec rm -rf {} +

# pip installs only uv, which installs the rest several times faster; both check the lock's hashes.
$(BIN)/uv:
	@for candidate in $(CANDIDATES); do \
		if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
		then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "None of $(CANDIDATES) is a Python 3.11, 3.12 or 3.13 with the venv module: install one" \
			"(Debian: apt-get install python3 python3-venv) or name it with make PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$python, once; this downloads about 500 MB"; \
	"$$python" -m venv --clear $(VENV)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/lock.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/uv.txt

# Bytecode is compiled here because importing without it triples the start of every process.
$(READY): requirements/lock.txt pyproject.toml | $(BIN)/uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/lock.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
