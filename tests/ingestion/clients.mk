# Other products' client libraries for Node, which tests run unmodified. Included by the Makefile at the root.

CLIENT_LOCKS := $(wildcard tests/ingestion/clients/node/*/package-lock.json)

.PHONY: clients
clients: $(CLIENT_LOCKS:package-lock.json=node_modules/.installed)

tests/ingestion/clients/node/%/node_modules/.installed: tests/ingestion/clients/node/%/package-lock.json | .venv/node/ready
	@echo "Installing the Node clients in $(<D) …"
	@npm ci --loglevel=error --ignore-scripts --prefix $(<D)
	@touch $@
