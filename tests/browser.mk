# A browser for the test of the page. Included by the Makefile at the root.

.PHONY: browser
browser: .venv/browser/ready

.venv/browser/ready: tests/browser/install.py tests/browser/package-lock.json | .venv/node/ready
	@python tests/browser/install.py
	@mkdir -p $(@D) && touch $@
