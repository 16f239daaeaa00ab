# Everything a developer types. `make help` lists it; .ci/run runs the same verbs.

PYTHON := .venv/bin/python
SOURCES := src tests bench tools
# Tests that take long begin first, so that none is waited for at the end.
LONG := tests/crash tests/servers tests/scenario/mappings
# Tests that look at the whole machine, or measure what others would disturb: one at a time.
ALONE := tests/isolation tests/hostile $(addprefix tests/scenario/test_,up.py bursts.py floods.py)

.DEFAULT_GOAL := help
.PHONY: help setup run test crash burst stress fuzz-snapshots check bench format docs lock

help: ## Say what there is
	@awk -F ': .*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv and install everything; quick when nothing changed
	@tools/make-venv

run: setup ## Start a platform with the examples in it; FLAGS=... are those of lambent up
	@$(PYTHON) -m lambent.cli.demo examples $(FLAGS)

test: setup ## Run all tests; TESTS=path runs some of them
	@tools/make-test-needs
ifdef TESTS
	@$(PYTHON) -m pytest $(TESTS)
else
	@$(PYTHON) -m pytest -n 2 --dist loadfile $(LONG) tests $(ALONE:%=--ignore=%)
	@$(PYTHON) -m pytest $(ALONE)
endif

crash: setup ## Kill the platform 200 times under load, on each database, and account for every event
	@CRASH_KILLS=200 CRASH_MAPPING_KILLS=40 $(PYTHON) -m pytest -q -s tests/crash

stress: setup ## Run the long forms of tests that CI runs in short
	@STREAMS=10000 $(PYTHON) -m pytest -q --timeout 600 tests/unit/kit/test_http_streams.py

burst: setup ## Call a function 900 times at once, and others beside it
	@BURST_CALLS=900 $(PYTHON) -m pytest -q -s tests/scenario/test_bursts.py

fuzz-snapshots: setup ## Change captured processes 100,000 times and judge them; as root, restore 20,000
	@FUZZ_SNAPSHOT_CHECKS=100000 FUZZ_SNAPSHOT_RESTORES=20000 $(PYTHON) -m pytest -q -s --timeout 7200 \
	  tests/unit/sandbox/test_image_rules.py tests/isolation/test_snapshot_fuzz.py

check: setup ## Lint, formatting, types and the direction of imports
	@$(PYTHON) -m ruff check $(SOURCES)
	@$(PYTHON) -m ruff format --check $(SOURCES)
	@$(PYTHON) -m mypy
	@$(PYTHON) tools/check_tasks.py src
	@.venv/bin/lint-imports

format: setup ## Format the code and fix what can be fixed by itself
	@$(PYTHON) -m ruff check --fix $(SOURCES)
	@$(PYTHON) -m ruff format $(SOURCES)

bench: setup ## Measure how fast functions are called, here and by others on this machine
	@tools/make-bench-peers
	@$(PYTHON) -m bench --peers

docs: setup ## Write docs/reference from the code
	@$(PYTHON) -m lambent.cli.settings_reference >docs/reference/settings.md
	@$(PYTHON) -m lambent.gateway.coverage >docs/reference/api-coverage.md
	@$(PYTHON) -m lambent.gateway.permissions.reference >docs/reference/permissions.md
	@$(PYTHON) -m lambent.sandbox.system_calls_reference >docs/reference/system-calls.md

lock: setup ## Write the installed versions to requirements/dev.lock
	@$(PYTHON) tools/lock.py >requirements/dev.lock
