# Everything from a clean clone: `make demo` and `make test` need Python 3.11 and make, and nothing else.
# What was installed or built is marked by a stamp that names the lock file's checksum, so a second run is quick.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
# The image for production is made with REQUIREMENTS=base; everything else takes dev.
REQUIREMENTS ?= dev

checksum = $(shell cat $(1) | cksum | tr ' ' '-')
PACKAGES := $(VENV)/.installed-$(REQUIREMENTS)-$(call checksum,requirements/dev.txt requirements/base.txt)
NODE_PACKAGES := node_modules/.installed-$(call checksum,package-lock.json .npmrc)
BUILT := static/build/.built
FRONT_END := package.json package-lock.json $(shell find frontend templates -type f)
# Cotton components count: Tailwind looks for class names in templates and in Python.
FRONT_END += $(shell find referral_rocket -name '*.py' -path '*dashboard*')
COLLECTED := .local/static/.collected

# Locked versions of Python are for the machine to choose, never for uv to fetch.
export UV_PYTHON_DOWNLOADS := never
export PORT

.DEFAULT_GOAL := help
.PHONY: help demo test books schemathesis bench lint format lock setup packages build static clean

help: ## Lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(COLLECTED) ## The whole product with sample data on 127.0.0.1, port 8000 or PORT=…, until Ctrl-C
	@$(BIN)/python -m embedded.demo

test: $(BUILT) ## The whole suite; ARGS="tests/rewards -k door" chooses some of it
	@$(BIN)/python -m embedded.suite $(ARGS)

books: $(BUILT) ## The property test of the books with BOOKS_EXAMPLES (20,000) random sequences
	@BOOKS_EXAMPLES=$${BOOKS_EXAMPLES:-20000} LOG_LEVEL=ERROR $(BIN)/pytest tests/rewards/test_books.py tests/rewards/test_books_at_once.py -q -s -p no:cacheprovider

schemathesis: $(BUILT) ## All of schemathesis' checks over the served API, for SECONDS=600
	$(BIN)/python -m embedded.throwaway $(BIN)/python -m tests.api.long_run $(or $(SECONDS),600)

bench: $(BUILT) ## Every benchmark beside its baselines, for a quarter of an hour or more; ARGS="inbound statements" for some
	@LOG_LEVEL=ERROR $(BIN)/python -m benchmarks $(ARGS)

lint: $(BUILT) ## Everything that can be said about the code without running its tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	find templates -name '*.html' -exec $(BIN)/djade --check --target-version 5.2 {} +
	$(BIN)/python -m embedded.throwaway sh -c '$(BIN)/python manage.py check --database default --fail-level WARNING \
		&& $(BIN)/python manage.py makemigrations --check --dry-run'

format: $(PACKAGES) ## Puts code and templates into their one form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	-find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

lock: $(PACKAGES) ## Locks the newest versions that requirements/*.in allow
	for name in base dev; do \
		$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate \
			--quiet --output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done

setup: $(PACKAGES) $(NODE_PACKAGES) ## Installs the locked packages

packages: $(PACKAGES) ## Installs the Python packages alone; REQUIREMENTS=base leaves out those for development

build: $(BUILT) ## Builds the dashboard's stylesheet, scripts and icons

static: $(COLLECTED) ## Collects the files that the web server serves, under the names of their content

clean: ## Removes what was installed and built; the demo's data stay
	rm -rf $(VENV) node_modules static/build

$(PACKAGES):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; PYTHON=… chooses one.")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo 'Installing the Python packages of requirements/$(REQUIREMENTS).txt'
	@sed -n '/^uv==/,/[^\\]$$/p' requirements/dev.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@# Compiled once here, and not in each process that may not or does not write what it compiled.
	@$(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/$(REQUIREMENTS).txt
	@# So that pytest, started by its own name, finds the project too.
	@echo '$(CURDIR)' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/referral_rocket.pth"
	@rm -f $(VENV)/.installed-*
	@touch $@

$(NODE_PACKAGES): | $(PACKAGES)
	@echo 'Installing the front-end packages of package-lock.json'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BUILT): $(NODE_PACKAGES) $(FRONT_END)
	@echo 'Building the front end'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm run --silent build
	@touch $@

$(COLLECTED): $(BUILT) $(PACKAGES) $(shell find static -type f -not -path 'static/build/*') referral_rocket/settings.py
	@$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	@touch $@
