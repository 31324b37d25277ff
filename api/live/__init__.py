"""A project's events while they come in, live counters, and what is wrong with the system."""
