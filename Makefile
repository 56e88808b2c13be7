# Short names for the commands of CONTRIBUTING.md. "make" lists them.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
GO      ?= go
# Without pgx's table of Go types, which database/sql does not use, and without HTTP/2, which
# neither listeners without TLS nor a few calls a second to Slack need: 1.4 MB and 0.6 MB.
TAGS    := nopgxregisterdefaulttypes,nethttpomithttp2

# Functions begin at multiples of 8 bytes in place of 32: 0.4 MB less.
COMPILE := CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '-s -w -funcalign=8 -X main.version=$(VERSION) -X main.commit=$(COMMIT)'
# Of the machines that the packages are for: amd64 or arm64.
ARCH    ?= $(shell $(GO) env GOARCH)
DIST    ?= dist

.PHONY: help build man package release package-test systemd-test test race soak soak-cluster soak-service lint fmt bench demo

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: man ## bin/tocsin: one static binary without C; bin/man: its man pages
	$(COMPILE) -o bin/tocsin ./cmd/tocsin

man: ## bin/man: a man page for each command
	$(GO) test ./cmd/tocsin -run '^TestEachCommandHasAManPage$$' -count=1 -ldflags '-X main.version=$(VERSION)' -man $(CURDIR)/bin/man

package: build ## dist/: Debian and RPM packages, byte for byte the same for the same commit
	GOOS=linux GOARCH=$(ARCH) $(COMPILE) -o bin/package/tocsin ./cmd/tocsin
	ARCH='$(ARCH)' VERSION='$(VERSION)' DIST='$(DIST)' packaging/build

PLATFORMS := linux_amd64 linux_arm64 darwin_amd64 darwin_arm64

release: ## dist/: packages for both kinds of machine, programs, SBOMs and SHA256SUMS
	rm -rf $(DIST) bin/release
	$(MAKE) package ARCH=arm64
	$(MAKE) package ARCH=amd64
	$(foreach p,$(PLATFORMS),GOOS=$(firstword $(subst _, ,$p)) GOARCH=$(lastword $(subst _, ,$p)) $(COMPILE) -o bin/release/$p/tocsin ./cmd/tocsin &&) true
	VERSION='$(VERSION)' DIST='$(DIST)' packaging/release

package-test: ## install, upgrade and purge the packages in a folder, and build them twice
	packaging/test

systemd-test: ## boot Debian 12 and 13 by systemd-nspawn and try the package there, under load (as root)
	packaging/systemd-test

test: ## all tests; those for Chromium and PostgreSQL skip where these are absent
	$(GO) test ./...

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race ./...

soak: ## the crash oracle for minutes; SOAK=10m lasts longer, SEED=7 does the same again
	TOCSIN_SOAK=$(or $(SOAK),3m) TOCSIN_SOAK_SEED=$(SEED) $(GO) test -run TestCrashOracle -count=1 -v -timeout 0 ./cmd/tocsin

soak-cluster: ## the same for three replicas, more than 20,000 alerts into 200 conversations (as root, with PostgreSQL)
	TOCSIN_SOAK=$(or $(SOAK),3m) TOCSIN_SOAK_SEED=$(SEED) $(GO) test -run TestClusterOracle -count=1 -v -timeout 0 ./cmd/tocsin

soak-service: ## half an hour of a service's life in one daemon; SOAK=5m is shorter
	TOCSIN_SOAK=$(or $(SOAK),$(TOCSIN_SOAK),30m) $(GO) test -run TestASoakedService -count=1 -v -timeout 0 ./cmd/tocsin

lint: ## gofmt, go vet and the rules of .golangci.yml (installs the pinned linter once)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run make fmt' >&2; exit 1; }
	$(GO) vet ./...
	.ci/golangci-lint run ./...

fmt: ## format every Go file in place
	gofmt -w $$(git ls-files '*.go')

bench: ## all benchmarks, below a description of the machine
	@.ci/machine
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m ./...

demo: ## a daemon with a playground in place of Slack, and a page to watch
	$(GO) run ./cmd/tocsin demo
