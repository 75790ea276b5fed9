# `make` lists the verbs. PG_MAJOR=17 or PG_CONFIG=/path/to/pg_config picks the PostgreSQL; the newest installed one of
# 18 to 15 is the default. Nothing but `setup` and `install` changes the system.

SHELL := bash

with_env := . scripts/pg-env &&
plain := scripts/with-tree plain
failpoints := scripts/with-tree failpoints
features := --no-default-features --features "pg$$PG_MAJOR"

ROWS ?= 2000000

.NOTPARALLEL:
.PHONY: help setup build install demo test test-unit test-golden test-docs test-isolation test-oracle test-crash bench lint clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s  %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing: PostgreSQL with headers, clang, Rust, cargo-pgrx
	@scripts/setup

build: setup ## build the extension and a private server that has it (target/server/N)
	@$(plain) bash -c 'echo "the server with the extension: $$PARTMAN_SERVER_BIN"'

install: setup ## install the extension into the system's PostgreSQL
	@$(with_env) cargo pgrx install --release --pg-config "$$PG_CONFIG" $(features) $$((( EUID )) && echo --sudo)

demo: setup ## convert a table of 336,776 flights while an application writes to it
	@$(plain) scripts/with-server demo/run

test: test-unit test-golden test-docs test-isolation test-oracle test-crash ## all tiers

test-unit: setup ## decisions, names, bounds, wording: no server
	@$(with_env) scripts/cargo-tier --lib $(features)

test-golden: setup ## what the SQL functions print (TESTS="name …" picks some)
	@$(plain) scripts/regress golden $(TESTS)

test-docs: setup ## the examples of the documentation
	@$(plain) scripts/with-server -c fsync=off -c autovacuum=off -c max_worker_processes=24 -c shared_preload_libraries=pg_stat_statements scripts/doctest

test-isolation: setup ## races between sessions (TESTS="name …" picks some)
	@$(failpoints) scripts/regress isolation $(TESTS)

test-oracle: setup ## real workloads, and row-by-row comparison afterwards; and whether the oracles can fail
	@scripts/setup --cron
	@$(failpoints) scripts/cargo-tier -p partman-rig --no-fail-fast --test self_check --test oracles -- --test-threads=3

test-crash: setup ## kill and stop at every named point
	@$(failpoints) scripts/cargo-tier -p partman-rig --test crash

bench: setup ## measure against INSERT … SELECT and plain DDL, idle and under load (ROWS=2000000, BENCH="--only i …")
	@$(plain) scripts/bench $(ROWS) $(BENCH)

lint: ## rustfmt, clippy, rustdoc, shellcheck; warnings are errors
	@scripts/setup --lint
	@scripts/lint

clean: ## remove what was built
	rm -rf target .tools
