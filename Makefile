# One entry point per action, for people and CI alike. Nothing outside this folder is changed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
UNIT := $(TEST) tests/unit -p no:schemathesis

.PHONY: help setup demo jars check style types unit test test-spark test-all lint format docs settings event-schemas pictures bench-lake bench-tx lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.ready  ## create .venv with everything installed from the locked requirements

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed; name it with make PYTHON=...")'
	@echo 'installing some hundred packages: a few minutes without a word'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/dbt deps --quiet
	@touch $@

demo: setup  ## three generated days from raw files to audited Gold, and their controls
	$(BIN)/plura demo

jars: setup  ## fetch the jars of Spark, Delta Lake and Kafka from Maven, and start a session
	$(BIN)/dbt debug --profiles-dir profiles --target spark

check: setup  ## formatting, types, layering and the unit tests: seconds
	@$(MAKE) --no-print-directory --jobs 2 unit types style

style:
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/lint-imports

types:
	$(BIN)/mypy

unit:
	$(UNIT) $(ARGS)

test: setup  ## the tests but the long Spark part; T=path names some, ARGS adds options of pytest, such as ARGS=--lf
ifdef T
	$(BIN)/python -m pytest $(T) $(ARGS)
else
	$(UNIT) $(ARGS)
	$(TEST) --tier main --ignore tests/unit $(ARGS)
endif

test-spark: setup  ## the long tests on Spark, Delta Lake and Databricks
	$(TEST) tests/integration --tier spark $(ARGS)

test-all: setup  ## every test, in one run that keeps all cores busy
	$(TEST) $(ARGS)

lint: setup  ## formatting, types, layering of imports, SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 models tests/dbt
	rm -rf target/spark
	$(BIN)/dbt compile --quiet --target spark --no-populate-cache --no-introspect --select resource_type:model --indirect-selection empty --target-path target/spark
	$(BIN)/sqlfluff lint --processes 2 --config .sqlfluff-spark target/spark/compiled/plura/models

format: setup  ## format Python
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## dbt docs as one page, target/static_index.html
	$(BIN)/dbt docs generate --static --quiet

settings: setup  ## write docs/settings.md: every environment variable, its default and its meaning
	$(BIN)/python -m plura.cli.settings_page docs/settings.md

event-schemas: setup  ## write docs/events: JSON Schema and AsyncAPI of the events that the tx service stores
	$(BIN)/python -m plura.tx.consumer.schemas docs/events

pictures: demo  ## draw the pictures of the README from the demo
	$(BIN)/python docs/pictures/draw.py

bench-lake: setup  ## time and memory of the lake against a hand-written floor; ARGS=--write records them
	$(BIN)/python -m bench.lake $(ARGS)

bench-tx: setup  ## speed of the transaction service, from events to lookups; ARGS=--write records it
	$(BIN)/python -m bench.tx $(ARGS)

lock: setup  ## compile requirements/*.in to locked versions with hashes; ARGS=--upgrade takes the latest versions
	for name in base spark tx dev; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url --no-strip-extras $(ARGS) requirements/$$name.in -o requirements/$$name.txt; done

clean:  ## remove what the build wrote, but no data
	rm -rf target logs dbt_packages
