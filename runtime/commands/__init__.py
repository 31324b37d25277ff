"""The commands of `radixinsight`, one module each."""
