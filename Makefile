# Everything a developer types. `make help` lists it; .ci/run runs the same verbs.

PYTHON := .venv/bin/python
SOURCES := src tests bench tools
# Three for each of two cores: most tests wait for something most of the time.
WORKERS := 6
PYTEST := $(PYTHON) -m pytest
# How long the long forms are.
CRASH := CRASH_KILLS=200 CRASH_MAPPING_KILLS=40
CRASH_STACKS := CRASH_STACK_KILLS=200
STRESS := STREAMS=10000
BURST := BURST_CALLS=900
SHARES := SHARE_SEEDS=10000
CLUSTER := CLUSTER_FAULTS=500
FUZZ := FUZZ_SNAPSHOT_CHECKS=100000 FUZZ_SNAPSHOT_RESTORES=20000
# Tests start hundreds of processes; without bytecode on disk each would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast test-long crash crash-stacks cluster-long burst stress fuzz-snapshots hosts check check-install bench \
  format docs lock vendor-console console-images

help: ## Say what there is
	@awk -F ': .*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv and install everything; quick when nothing changed
	@tools/make-venv

run: setup ## Start a platform with the examples in it; FLAGS=... are those of lambent up
	@$(PYTHON) -m lambent.cli.demo examples $(FLAGS)

test: setup ## Run all tests; TESTS=path runs some of them
	@tools/make-test-needs
ifdef TESTS
	@$(PYTEST) $(TESTS)
else
	@$(PYTEST) -n $(WORKERS) --dist loadfile
endif

test-fast: setup ## Run the quick unit tests, which need no server; done in seconds
	@$(PYTEST) -q -n 2 --dist loadfile -m "not slow" tests/unit

test-long: setup ## Run all tests in their long forms: those below, and properties with all examples
	@LONG_TESTS=1 tools/make-test-needs
	@LONG_TESTS=1 $(CRASH) $(CRASH_STACKS) $(STRESS) $(BURST) $(SHARES) $(CLUSTER) $(FUZZ) $(PYTEST) -n 2 --dist loadfile --timeout 7200

crash: setup ## Kill the platform 200 times under load, on each database, and account for every event
	@$(CRASH) $(PYTEST) -q -s tests/crash

crash-stacks: setup ## Kill the platform 200 times while it deploys stacks, on each database
	@$(CRASH_STACKS) $(PYTEST) -q -s tests/crash/test_stack_crashes.py

cluster-long: setup ## Break three nodes and their database 500 times under load, as root
	@tools/make-test-needs
	@$(CLUSTER) $(PYTEST) -q -s tests/faults/test_faults.py

stress: setup ## Run the long forms of tests that CI runs in short
	@$(STRESS) $(PYTEST) -q --timeout 600 tests/unit/kit/test_http_streams.py

burst: setup ## Call a function 900 times at once, and others beside it
	@$(BURST) $(PYTEST) -q -s tests/scenario/test_bursts.py

fuzz-snapshots: setup ## Change captured processes 100,000 times and judge them; as root, restore 20,000
	@$(FUZZ) $(PYTEST) -q -s --timeout 7200 \
	  tests/unit/sandbox/test_image_rules.py tests/isolation/test_snapshot_fuzz.py

check-install: setup ## Install the wheel as a user does, as root and as nobody, and use it
	@$(PYTHON) tools/check_install.py

hosts: setup ## Prove it on machines and containers made for the purpose, as root; HOSTS="a b" runs some
	@$(PYTHON) -m tests.hosts $(HOSTS)

check: setup ## Check lint, formatting, types, the direction of imports, tasks and words
	@$(PYTHON) -m ruff check $(SOURCES)
	@$(PYTHON) -m ruff format --check $(SOURCES)
	@$(PYTHON) -m mypy
	@$(PYTHON) tools/check_tasks.py src
	@$(PYTHON) tools/check_words.py $(SOURCES) docs examples *.md
	@.venv/bin/lint-imports

format: setup ## Format the code and fix what can be fixed by itself
	@$(PYTHON) -m ruff check --fix $(SOURCES)
	@$(PYTHON) -m ruff format $(SOURCES)

bench: setup ## Measure how fast functions are called, here and by others on this machine
	@tools/make-bench-peers
	@$(PYTHON) -m bench --peers

docs: setup ## Write docs/reference from the code
	@$(PYTHON) -m lambent.cli.settings_reference >docs/reference/settings.md
	@$(PYTHON) -m lambent.cli.project_reference >docs/reference/project-file.md
	@$(PYTHON) -m lambent.gateway.coverage >docs/reference/api-coverage.md
	@$(PYTHON) -m lambent.gateway.permissions_reference >docs/reference/permissions.md
	@$(PYTHON) -m lambent.sandbox.system_calls_reference >docs/reference/system-calls.md
	@$(PYTHON) tools/resource_facts.py
	@$(PYTHON) -m lambent.stacks.resources.reference >docs/reference/resource-types.md

vendor-console: setup ## Copy the libraries of the console from their npm packages
	@tools/make-test-needs
	@$(PYTHON) tools/vendor_console.py

console-images: setup ## Take the pictures of the console for the documentation
	@CONSOLE_IMAGES=1 $(PYTEST) -q tests/console/test_looks.py -k pictures

lock: setup ## Write the installed versions to requirements/dev.lock
	@$(PYTHON) tools/lock.py >requirements/dev.lock
