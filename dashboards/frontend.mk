# The page: Node, npm packages, the build, and the checks of its sources. Included by the Makefile at the root.

NPM := npm --prefix dashboards --silent
DASHBOARD_SOURCES := $(shell find dashboards/src dashboards/public -type f -not -name '*.test.*' 2>/dev/null) \
	$(addprefix dashboards/,index.html package.json vite.config.ts tsconfig.json)

# A Node of the system's is used when it is new enough; otherwise one comes from PyPI into .venv.
.venv/node/ready: .venv/installed dashboards/node.lock dashboards/install-node
	@dashboards/install-node
	@mkdir -p $(@D) && touch $@

dashboards/node_modules/.installed: .venv/node/ready dashboards/package.json dashboards/package-lock.json dashboards/.npmrc
	@echo "Installing npm packages into dashboards/node_modules …"
	@$(NPM) ci
	@touch $@

dashboards/dist/index.html: dashboards/node_modules/.installed $(DASHBOARD_SOURCES)
	@echo "Building the page …"
	@$(NPM) run build
	@touch $@

.PHONY: lint-dashboards
lint-dashboards: dashboards/node_modules/.installed
	@$(NPM) run lint

.PHONY: format-dashboards
format-dashboards: dashboards/node_modules/.installed
	@$(NPM) run format

.PHONY: test-dashboards
test-dashboards: dashboards/node_modules/.installed
	@$(NPM) run test

.PHONY: client
client: dashboards/node_modules/.installed ## Generate the page's API client from api/openapi.json
	@$(NPM) run client

.PHONY: client-check
client-check: dashboards/node_modules/.installed
	@$(NPM) run client:check
