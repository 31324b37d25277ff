"""The demo: a real data set through the whole system."""
