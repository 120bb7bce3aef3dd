# Everything that is done with this repository. `make run` needs cargo and a C compiler, and nothing else; what the tests need is
# installed, pinned, into .tools/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export SAM_CLI_TELEMETRY = 0
TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS)/bin:$(PATH)

# `make run` leaves the AWS SDKs out and is quick; `make run AWS=1` can send to SNS and Slack.
FEATURES := $(if $(AWS),,--no-default-features)
DENY_VERSION := 0.20.2
FUZZ_VERSION := 0.13.1

.PHONY: help
help: ## Lists what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: run
run: ## Plays the sample denials through, then listens on http://127.0.0.1:8080 (ARGS=… are serve's)
	cargo run --quiet --locked -p cli $(FEATURES) -- serve --events events/triage $(ARGS)

.PHONY: tools
tools: ## Installs what tests, checks and packaging need into .tools/
	@tests/tools/install.sh

.PHONY: test
test: tools ## Runs every test
	cargo test --workspace --locked --no-fail-fast
	python tests/template/template_test.py
	python tests/browser/pages_test.py

.PHONY: check
check: tools $(TOOLS)/bin/cargo-deny ## Format, lints, documentation, licences, template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p cli --no-default-features --locked -- -D warnings
	cargo clippy -p cli --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo fetch --locked --quiet
	cargo deny --offline check licenses bans sources
	sam validate --lint --template template.yaml

$(TOOLS)/bin/cargo-deny: Makefile
	cargo install --quiet --locked --root $(TOOLS) --version $(DENY_VERSION) cargo-deny
	@touch $@

.PHONY: package
package: tools ## Builds what is deployed: .aws-sam/build (ARCH=arm64 where that target is installed)
	tests/tools/package.sh $(or $(ARCH),x86_64)

.PHONY: bench
bench: tools ## Measures the numbers in the README, side by side with Python
	tests/bench/run.sh

.PHONY: fuzz
fuzz: $(TOOLS)/bin/cargo-fuzz ## Fuzzes the sentence and the record for a minute each (SECONDS_EACH=…; needs a C++ compiler)
	tests/fuzz/run.sh

$(TOOLS)/bin/cargo-fuzz: Makefile
	cargo install --quiet --locked --root $(TOOLS) --version $(FUZZ_VERSION) cargo-fuzz
	@touch $@
