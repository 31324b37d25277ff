# The page: Node, npm packages, the build, and the checks of its sources. Included by the Makefile at the root.

NPM := npm --prefix dashboards --loglevel=error
DASHBOARD_SOURCES := $(shell find dashboards/src dashboards/public -type f -not -name '*.test.*' 2>/dev/null) \
	$(addprefix dashboards/,index.html package.json vite.config.ts tsconfig.json)

# A Node of the system's is used when it is new enough; otherwise one comes from PyPI into .venv.
.venv/node/ready: dashboards/node.lock dashboards/install-node | .venv/installed
	@dashboards/install-node
	@mkdir -p $(@D) && touch $@

dashboards/node_modules/.installed: dashboards/package.json dashboards/package-lock.json dashboards/.npmrc | .venv/node/ready
	@echo "Installing npm packages into dashboards/node_modules …"
	@$(NPM) ci
	@touch $@

dashboards/dist/index.html: dashboards/node_modules/.installed $(DASHBOARD_SOURCES)
	@echo "Building the page …"
	@$(NPM) run --silent build
	@touch $@

.PHONY: lint-dashboards
lint-dashboards: dashboards/node_modules/.installed
	@$(NPM) run --silent lint

.PHONY: format-dashboards
format-dashboards: dashboards/node_modules/.installed
	@$(NPM) run --silent format

.PHONY: test-dashboards
test-dashboards: dashboards/node_modules/.installed
	@$(NPM) run --silent test

.PHONY: client
client: dashboards/node_modules/.installed ## Generate the page's API client from api/openapi.json
	@$(NPM) run --silent client

.PHONY: client-check
client-check: dashboards/node_modules/.installed
	@$(NPM) run --silent client:check
