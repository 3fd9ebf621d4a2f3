# Every task of the project. `make help` lists them; each does its own set-up.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Node 24 comes with the dev dependencies; whatever node the system has only starts npm.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export GOTOOLCHAIN := local
# Type stripping and vm modules are what this project is built on; their notes would drown the output.
export NODE_NO_WARNINGS := 1
JEST := NODE_OPTIONS=--experimental-vm-modules node node_modules/.bin/jest

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install the Node dependencies (cached outside the work tree by lock file)
	@tools/setup/node.sh

.PHONY: cluster-bin
cluster-bin: deps ## Build Kubernetes, etcd, kwok, Prometheus, helm and three artifact stores from Go modules (cached)
	@e2e/build.sh kubernetes etcd kwok prometheus helm cluster versitygw distribution fake-gcs-server >/dev/null

.PHONY: demo-bin
demo-bin: deps
	@e2e/build.sh kubernetes etcd kwok prometheus cluster >/dev/null

.PHONY: venv
venv: ## Make the Python environment of the trainers and the tests (PyTorch: 5 GB; cached)
	@tools/setup/python.sh

.PHONY: demo
demo: demo-bin ## Scale one Deployment by forecast and its twin by the real HPA, on a real API server
	@node e2e/demo/main.ts

.PHONY: test
test: ## Run every test: jest (unit and cluster), pytest, go test
	@# One compiles, the other one downloads.
	@$(MAKE) -j2 cluster-bin venv
	@exec node tools/test.ts $(REAL_PODS)

.PHONY: test-unit
test-unit: deps ## Run the pure tests only (seconds)
	@$(JEST) --selectProjects unit

.PHONY: test-cluster
test-cluster: cluster-bin ## Run the tests on the real API server only
	@$(JEST) --selectProjects cluster

.PHONY: test-mlflow
test-mlflow: ## Log a training run to a real MLflow server and read it back (its own environment: 1 GB, cached)
	@cd models && "$$(tests/mlflow_server/venv.sh)/bin/python" -m pytest -o addopts= -q tests/mlflow_server/real_server.py

.PHONY: e2e
e2e: deps ## Tell the stories that need pods which run, on a real kubelet (root; counted as skipped elsewhere)
	@node e2e/node/main.ts

.PHONY: bench
bench: demo-bin ## Print speed and memory figures, as ratios where two things are compared
	@node e2e/bench/main.ts

.PHONY: bench-scale
bench-scale: demo-bin ## 1,000 scalers beside 1,000 real HPAs on one control plane (about 10 minutes)
	@node e2e/bench/scale.ts

.PHONY: bench-serve
bench-serve: deps ## The inference server beside four others on the same models (about 20 minutes; SHORT=1: 3)
	@LOAD=$$(e2e/build.sh serve-load | sed 's/^serve-load //') node e2e/bench/serve/main.ts

.PHONY: bench-drift
bench-drift: deps ## False alarms a month and delay of the drift alarm, on generated loads (about 20 minutes)
	@node e2e/bench/drift.ts

.PHONY: bench-guards
bench-guards: deps ## How often guards send back a good version, and how soon a bad one (about 7 minutes)
	@node e2e/bench/guards.ts

.PHONY: bench-gate
bench-gate: deps ## How often the gate of a trained model is wrong: DATA="files or folders" (about 10 minutes)
	@node e2e/bench/gate.ts $(DATA)

.PHONY: bench-train
bench-train: ## Training: one process against two, a resume, checkpoints, the size of the data (minutes; SHORT=1)
	@cd models && PYTHONPATH=src "$$(../tools/setup/python.sh)/bin/python" -W ignore -m foresail_models.bench.training

.PHONY: evaluate
evaluate: deps ## Score every forecaster on recorded loads: DATA="files or folders" (minutes)
	@test -n "$(DATA)" || { echo "name the loads: make evaluate DATA=../shared/data/traces" >&2; exit 2; }
	@bin/foresail evaluate --data $(DATA) --horizons lead,60m --json out/evaluate.json --html out/evaluate.html $(ARGS)

.PHONY: backtest
backtest: deps ## Replay recorded and generated loads under every policy: DATA="files or folders" (minutes)
	@test -n "$(DATA)" || { echo "name the loads: make backtest DATA=../shared/data/traces" >&2; exit 2; }
	@bin/foresail backtest --data $(DATA) --generated --frontier --json out/backtest.json --html out/backtest.html $(ARGS)

.PHONY: lint
lint: deps ## Type check, lint, formatting, import rules
	@tsc --noEmit -p .
	@oxlint --type-aware --deny-warnings
	@biome ci --reporter=summary .

.PHONY: format
format: deps ## Format the TypeScript sources
	@biome check --write .

.PHONY: generate
generate: deps ## Regenerate CRDs, reference docs and constants from their single source
	@node tools/generate.ts

.PHONY: drift
drift: generate ## Fail when a generated file differs from what is committed
	@git diff --exit-code --stat -- crds charts docs/reference operator/inference/box-model.ts \
	  || { echo "generated files differ: run 'make generate' and commit the result"; exit 1; }
