# `make` alone prints what it can do.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules

# Two cores are enough for everything here; more make the tests no truer.
export GOMAXPROCS ?= 2
export CGO_ENABLED = 1

DATA    ?= ./data/demo
LISTEN  ?= 127.0.0.1:7700
COUNT   ?= 5
ROUNDS  ?= 100
SEED    ?=
BENCH   ?= .
PKG     ?= ./...
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -X github.com/kikubari/kikubari/internal/app.version=$(VERSION)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The SDK is built again when a file of it changed; what npm and the build write does not count.
SDK_BUILT   := sdk/js/dist/cx.js
SDK_MODULES := sdk/js/node_modules/.package-lock.json
SDK_SOURCES := $(shell find sdk/js \( -name node_modules -o -name dist \) -prune -o -type f -print 2>/dev/null)

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what the browser tests need (Chromium, a CJK font) when it is missing and may be installed
	./scripts/setup.sh

.PHONY: build
build: sdk ## build the browser SDK and the program bin/kikubari
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/kikubari .

.PHONY: sdk
sdk: $(SDK_BUILT) ## build the browser SDK

$(SDK_MODULES): sdk/js/package-lock.json
	cd sdk/js && npm ci --no-audit --no-fund
	touch $@

$(SDK_BUILT): $(SDK_MODULES) $(SDK_SOURCES)
	cd sdk/js && npm run build
	touch $@

.PHONY: demo
demo: build ## build and run the demo workspace on 127.0.0.1:7700 (LISTEN=, DATA=)
	exec bin/kikubari demo --data $(DATA) --listen $(LISTEN)

.PHONY: test
test: setup build vet sdk-test race ## run every test of the repository, browser tests included

.PHONY: race
race: sdk ## run the Go tests with the race detector, in random order
	timeout --kill-after=30s 50m go test -race -shuffle=on -p 2 -timeout 20m $(PKG)

.PHONY: sdk-test
sdk-test: sdk ## run the unit tests of the browser SDK
	cd sdk/js && npm test

.PHONY: vet
vet: sdk ## check formatting, go vet
	@files=$$(git ls-files --cached --others --exclude-standard '*.go' | xargs -r ls -d 2>/dev/null | xargs -r gofmt -l); \
	if [ -n "$$files" ]; then echo "run make fmt; not formatted:"; echo "$$files"; exit 1; fi
	go vet ./...

.PHONY: lint
lint: sdk ## run golangci-lint (the first run builds it, which takes minutes)
	go run $(LINT) run ./...

.PHONY: fmt
fmt: ## format the Go code as lint wants it
	go run $(LINT) fmt ./...

.PHONY: fuzz
fuzz: ## run each fuzz target of PKG for 30 seconds
	@for p in $$(go list $(PKG)); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do go test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s $$p; done; \
	done

.PHONY: bench
bench: ## run the benchmarks BENCH of PKG, COUNT times, as benchstat reads them
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG)

.PHONY: chaos
chaos: sdk ## kill the program under load at ROUNDS seeded moments and check that nothing is lost (nightly: ROUNDS=1000)
	timeout --kill-after=30s 4h env CHAOS_ROUNDS=$(ROUNDS) CHAOS_SEED=$(SEED) go test -p 1 -tags chaos -run '^TestChaos|^TestKilled' -count 1 -timeout 235m -v . ./internal/journal

.PHONY: histories
histories: ## live through ROUNDS random histories with kills and un-merges, against a machine never stopped (SEED= is the first)
	HISTORIES=$(ROUNDS) HISTORY_SEED=$(SEED) go test -run '^TestHistories' -count 1 -timeout 4h -v ./internal/pipeline

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf bin sdk/js/node_modules sdk/js/dist/cx.js
