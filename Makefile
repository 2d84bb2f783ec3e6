# A thin cover: what is done stands in scripts/bootstrap, in noxfile.py and in the program itself.
.POSIX:
.PHONY: help bootstrap demo test clean

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile

bootstrap: ## make .venv and find the brokers
	@scripts/bootstrap

demo: bootstrap ## real brokers, reference services, one mutant, a report to open
	@.venv/bin/atleastonce demo

test: bootstrap ## lint, types, unit, property and integration tests
	@PATH="$$PWD/.venv/bin:$$PATH" nox

clean: ## remove what bootstrap and the tests made in this directory
	rm -rf .venv .nox .atleastonce .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
