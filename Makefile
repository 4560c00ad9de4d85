# The commands a person types. Each does its own set-up: see scripts/setup.

.PHONY: run test web load prove fresh help

run: ## build Portico and open it on http://127.0.0.1:8420
	@scripts/run $(ARGS)

test: ## everything that must hold; ONLY="format lints" runs only these steps
	@scripts/test $(ONLY)

web: ## build the portal's pages into web/dist
	@scripts/setup run && scripts/web-build

load: ## measure against hyper and nginx in one interleaved run
	@scripts/setup load && load/run $(ARGS)

prove: ## the long measurements of a topic, as a table: make prove TOPIC=house
	@scripts/setup test && scripts/prove/$(or $(TOPIC),house) $(ARGS)

fresh: ## make test on a Debian that has only a Rust toolchain (root)
	@scripts/fresh-machine make test

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'
