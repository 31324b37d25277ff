"""What can be told of an event beyond what it says: from its address and from its user agent.

Pure look-ups without any engine, for the collector, which decides on them, and for the pipeline, which applies them to
all history.
"""
