# A browser for the test of the page. Included by the Makefile at the root.

.PHONY: browser
browser: .venv/browser/ready

.venv/browser/ready: .venv/node/ready tests/browser/install.py tests/browser/package-lock.json
	@python tests/browser/install.py
	@mkdir -p $(@D) && touch $@
