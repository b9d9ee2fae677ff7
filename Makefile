# Every target installs what it needs first; the npm scripts of the same names do the work.
# The project brings its own Node: npm puts it at node_modules/.bin/node, first on its scripts' PATH.

.PHONY: help before-start install-run install start up test test-unit test-integration test-faults test-helm test-conformance test-attacks test-cluster bench check lint format audit sbom proto-gen proto-gen-ts chart-docs client cluster cluster-delete dev clean
.DEFAULT_GOAL := help
# Prerequisites in the order in which they are written.
.NOTPARALLEL:

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

# What running needs is two thirds of what there is: the rest comes with the first target that tests or checks.
install-run:
	@scripts/install.sh run

install:
	@scripts/install.sh all

# Before anything is done: what would keep standalone from starting. Without node, the install says so.
before-start:
	@! command -v node >/dev/null || node scripts/before-start.mjs

# What the web app is made of, gen/ and the client included: older than any of it means build it again.
web_sources := $(shell find web gen packages/client -type f -not -path '*/node_modules/*' -not -path 'web/dist/*') package-lock.json

web/dist/index.html: $(web_sources) | install-run
	@echo 'Building the web app …'
	@npm run --silent build -w web -- --logLevel warn
	@touch $@

start: before-start install-run web/dist/index.html ## Everything in one process on http://localhost:8080 (PORT=, BIDMESH_DATA_DIR=, BOTS=, AUTH=oidc)
	@npm run --silent start

up: install ## Every service its own process on real Postgres, RabbitMQ and Redis; Ctrl-C stops all (AUTH=oidc)
	@npm run --silent up

test: install ## Unit, integration and end-to-end tests on real services
	npm run --silent test

test-unit: install ## Tests that need no services
	npm run --silent test-unit

test-integration: install ## Tests of SQL, broker and cache on real services
	npm run --silent test-integration

test-faults: install ## The fault series at full length (SEED= replays one)
	npm run --silent test-faults

test-helm: install ## The charts: rendered, held against Kubernetes and the sources (needs Go)
	npm run --silent test-helm

test-conformance: install ## The suite of Connect's makers against our server (needs Go; ARGS="--run PATTERN" for some)
	@npm run --silent test-conformance -- $(ARGS)

test-attacks: install ## What strangers can do to a server, beside honest bids (ARGS="--help" for more)
	@npm run --silent test-attacks -- $(ARGS)

test-cluster: need-kubectl-helm install ## What only a cluster can show, on the one that KUBECONFIG names (ARGS="--help")
	@npm run --silent test-cluster -- $(ARGS)

bench: install ## Side-by-side figures, one table (ARGS="--help" for more)
	@npm run --silent bench -- $(ARGS)

check: install ## Types, lint, format, protos, generated code; no services
	npm run --silent check

lint: install ## The quick half of check: lint, format, protos
	npm run --silent lint

format: install ## Formats the sources
	npm run --silent format

proto-gen: install ## Regenerates gen/ from proto/
	npm run --silent proto-gen

proto-gen-ts: proto-gen ## The same

audit: install-run ## Known weaknesses of what the processes are made of (asks the npm registry)
	@npm audit --omit=dev --audit-level=low

sbom: install-run ## What the processes are made of, as CycloneDX, into dist/bidmesh.cdx.json
	@mkdir -p dist
	@npm sbom --sbom-format cyclonedx --omit dev --package-lock-only >dist/bidmesh.cdx.json
	@echo dist/bidmesh.cdx.json

chart-docs: install ## Regenerates docs/values.md from the charts
	npm run --silent chart-docs

client: install ## The TypeScript client as a package for other projects, in dist/
	@npm run --silent client

need-%:
	@scripts/need.sh $(subst -, ,$*)

cluster: need-docker-kind-ctlptl-kubectl ## A local Kubernetes by Kind, with a registry
	ctlptl apply -f ctlptl.yaml
	@grep -q api.auction.local /etc/hosts || echo 'For the browser, once: echo 127.0.0.1 api.auction.local auction.local | sudo tee -a /etc/hosts'

cluster-delete: need-docker-kind-ctlptl ## Removes both
	ctlptl delete -f ctlptl.yaml --ignore-not-found

dev: need-docker-kubectl-helm-tilt install ## Everything on that cluster by Tilt, edits live: http://auction.local
	tilt up

clean: ## Removes what was installed and standalone's data
	rm -rf node_modules .tools .data .buf-deps dist web/dist
