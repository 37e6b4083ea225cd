# Trackside needs Python 3.11 or newer and make; everything else goes into .venv.
#
#   make up       start everything
#   make test     lint and the whole suite, on SQLite and on PostgreSQL
#   make help     the other targets

SHELL := /bin/sh
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -eu -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENT := tests/acceptance/client
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --upgrade

.PHONY: help up test test-sqlite test-postgresql bench lint format lock audit bill clean

help: ## Say what the targets do
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 26

up: $(VENV)/runtime.stamp ## Start web, cluster and database; PORT, HOST, WORKERS, DATABASE_URL are honoured
	@exec $(BIN)/python manage.py up

# Tests wait for the processes they start as much as they compute: two legs of two processes each
# keep two cores busy. What failed is tried once more, in one process.
TEST := -m pytest --numprocesses=2 --dist=loadgroup --no-loadscope-reorder

test: $(VENV)/dev.stamp $(VENV)/client.stamp ## Lint and the whole suite on both databases
	@# While mypy keeps one core: what each of the four processes would compile for itself.
	$(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1 & compiled=$$!
	$(MAKE) --no-print-directory lint & lint=$$!
	log=$$(mktemp)
	leg() {
		$(BIN)/python $(TEST) --database=$$1 -o cache_dir=.pytest_cache/$$1 & running=$$!
		trap 'kill $$running 2>/dev/null || :; exit 143' TERM
		wait $$running || again $$1
	}
	again() {
		echo "Trying what failed once more, alone; a failure that stays is one."
		$(BIN)/python -m pytest --database=$$1 -o cache_dir=.pytest_cache/$$1 --last-failed --last-failed-no-failures=none
	}
	legs=
	trap 'kill $$legs 2>/dev/null || :; wait; rm -f "$$log"' EXIT
	trap 'exit 130' INT TERM
	wait $$compiled || :
	leg sqlite & legs=$$!
	wait $$lint
	leg postgresql >"$$log" 2>&1 & legs="$$legs $$!"
	status=0
	for one in $$legs; do wait $$one || status=$$?; done
	cat "$$log"
	exit $$status

test-sqlite: $(VENV)/dev.stamp $(VENV)/client.stamp ## The suite on SQLite
	@$(BIN)/python $(TEST) --database=sqlite

test-postgresql: $(VENV)/dev.stamp $(VENV)/client.stamp ## The suite on a PostgreSQL of its own
	@$(BIN)/python $(TEST) --database=postgresql

bench: $(VENV)/dev.stamp $(VENV)/system.stamp ## Measure everything docs/benchmarks.md promises; takes about an hour
	@$(BIN)/python -m benchmarks

lint: $(VENV)/dev.stamp ## Format, style, types, import contracts, templates, migrations
	@$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary & types=$$!
	trap 'kill $$types 2>/dev/null || :' EXIT
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 0
	wait $$types

format: $(VENV)/dev.stamp ## Format Python
	@$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

lock: $(VENV)/dev.stamp ## Renew the lock files
	@$(LOCK) --output-file requirements.lock
	$(LOCK) --extra otel --constraint requirements.lock --output-file requirements-otel.lock
	$(LOCK) --extra dev --extra otel --extra s3 --constraint requirements-otel.lock --output-file requirements-dev.lock

audit: $(VENV)/dev.stamp ## Ask the advisory service about everything in the lock files
	@$(BIN)/python -m tests.support.advisories

bill: $(VENV)/dev.stamp ## Print a bill of materials (CycloneDX) of what a deployment runs
	@$(BIN)/python -m tests.support.advisories --bill

clean: ## Remove .venv and caches; the data in var/ stays
	rm -rf $(VENV) $(CLIENT)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

# Stamps: a step runs again only when what it came from has changed.

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
		echo "Trackside needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2
		exit 1
	}
	if ! $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1; then
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
			echo "This Python cannot make virtual environments; first run: sudo apt-get install python3-venv" >&2
			exit 1
		}
		echo "Installing python3-venv"
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends python3-venv >/dev/null
		$(PYTHON) -m venv --clear $(VENV)
	fi
	touch $@

$(VENV)/runtime.stamp: requirements.lock $(VENV)/made
	@echo "Installing dependencies"
	$(PIP) install --require-hashes --requirement requirements.lock
	touch $@

# By uv, which is half a minute faster; by pip where uv does not reach what pip is set up to use.
$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/made
	@echo "Installing development dependencies"
	sed -n '/^uv==/,/# via/p' $< >$(VENV)/uv.lock
	$(PIP) install --require-hashes --requirement $(VENV)/uv.lock
	$(BIN)/uv pip install --python $(BIN)/python --quiet --compile-bytecode \
		--require-hashes --requirement $< ||
		$(PIP) install --require-hashes --requirement $<
	touch $@ $(VENV)/runtime.stamp

# PostgreSQL, Chromium and Node.js of the system, for the tests. No server is set up: the tests start their own.
$(VENV)/system.stamp: $(VENV)/made
	@missing=
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || missing=postgresql
	command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || missing="$$missing chromium-headless-shell"
	command -v node >/dev/null || missing="$$missing nodejs"
	command -v npm >/dev/null || missing="$$missing npm"
	if [ -n "$$missing" ]; then
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || {
			echo "The tests need system packages; first run: sudo apt-get install $$missing" >&2
			exit 1
		}
		echo "Installing $$missing"
		conf=/etc/postgresql-common/createcluster.conf
		[ -e $$conf ] || { mkdir -p $${conf%/*}; echo "create_main_cluster = false" >$$conf; }
		apt-get update -qq
		# Debian has one without windows, which is lighter; others have only the whole.
		apt-cache show chromium-headless-shell >/dev/null 2>&1 || missing=$$(echo "$$missing" | sed s/-headless-shell//)
		DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends \
			-o Dpkg::Options::=--force-confold $$missing >/dev/null
	fi
	touch $@

# The reference's own client, which the tests let call the API.
$(VENV)/client.stamp: $(CLIENT)/package-lock.json $(VENV)/system.stamp
	@echo "Installing the JavaScript client"
	npm ci --prefix $(CLIENT) --ignore-scripts --no-audit --no-fund --silent
	touch $@
