"""`python -m runtime` is the `radixinsight` command."""

from runtime.cli import main

main()
