# facilityd: what there is to build, check and run. "make" lists it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# A static binary without paths of the machine that built it; the Dockerfile
# builds with the same line, and a test compares them.
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),development)
BUILD   := CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.version=$(VERSION)"

# The checks compile as the build does, so that all of it is compiled once.
AS_BUILT := CGO_ENABLED=0 GOFLAGS=-trimpath

# Real servers and tools that the tests start; all are Debian packages but
# InfluxDB, which is built from its source. The race detector needs a C compiler.
PACKAGES := gcc libc6-dev mosquitto mosquitto-clients postgresql chromium python3-numpy prometheus systemd

INFLUXD_VERSION := 1.8.10
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/facilityd-tests
INFLUXD := $(CACHE)/influxd-$(INFLUXD_VERSION)

TOOL := go tool -modfile=tools.mod

# How long each fuzz target runs, and the limit of one package's tests.
FUZZTIME ?= 30s
TIMEOUT  ?= 15m

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## the daemon as one static binary, bin/facilityd
	$(BUILD) -o bin/facilityd ./cmd/facilityd

.PHONY: demo
demo: ## an estate with faults that develop, and its board, on this machine
	go run ./cmd/facilityd demo

# make lint vets; here it would compile everything once more.
.PHONY: test
test: tools influxd ## every test, with the race detector, against real servers
	go test -race -vet=off -timeout $(TIMEOUT) ./...

.PHONY: lint
lint: ## format, vet, staticcheck, tidy and verified modules
	@unformatted=$$(git ls-files -z --cached --others --exclude-standard -- '*.go' | xargs -0r gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(AS_BUILT) go vet ./...
	$(AS_BUILT) $(TOOL) staticcheck ./...
	go mod tidy -diff
	go mod verify

# The database of vulnerabilities is on the network. Where it cannot be reached
# nothing was checked, and that is what is said; findings fail.
.PHONY: vuln
vuln: ## known vulnerabilities in what is linked
	@status=0; report=$$($(AS_BUILT) $(TOOL) govulncheck $(VULNFLAGS) ./... 2>&1) || status=$$?; \
	if [ $$status -ne 0 ] && grep -q '^govulncheck: fetching vulnerabilities: ' <<<"$$report"; then \
		echo "NOT CHECKED for vulnerabilities: the database cannot be reached from here"; \
		echo "$$report"; \
	else echo "$$report"; exit $$status; fi

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s)
	@grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" | while read -r _ target; do \
			echo "== $$target in $$(dirname "$$file")"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s "$$(dirname "$$file")"; \
		done; \
	done

.PHONY: bench
bench: tools ## how fast a backlog is drained, against a bare subscriber
	go test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cmd/facilityd/...

.PHONY: bench-detection
bench-detection: tools ## detectors on labelled telemetry
	go test -run '^$$' -bench Detection -benchtime 1x -timeout 60m ./rules/detect/bench
	go test -run '^$$' -bench 'DetectionThroughEngine|QuietMonths' -benchtime 1x -timeout 60m ./cmd/facilityd


.PHONY: generate
generate: ## what is made from code: schemas, boards
	go generate ./...

.PHONY: influxd
influxd: $(INFLUXD) ## the InfluxDB that the tests run, built once into the cache

$(INFLUXD):
	@echo "building InfluxDB $(INFLUXD_VERSION) for the tests, once"
	@mkdir -p $(CACHE)
	@build=$$(mktemp -d $(CACHE)/build.XXXXXX); trap 'rm -rf "$$build"' EXIT; \
	GOBIN="$$build" go install github.com/influxdata/influxdb/cmd/influxd@v$(INFLUXD_VERSION); \
	mv "$$build/influxd" $@

.PHONY: tools
tools: ## the Debian packages that the tests need, installed when missing
	@missing=""; \
	for p in $(PACKAGES); do \
		[ "$$(dpkg-query -W -f '$${Status}' $$p 2>/dev/null)" = "install ok installed" ] || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" -ne 0 ]; then \
		echo "the tests need$$missing: apt-get install$$missing"; exit 1; \
	fi; \
	echo "installing$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update; \
	apt-get -qq install -y --no-install-recommends $$missing >/dev/null

.PHONY: clean
clean: ## remove what was built here
	rm -rf bin
