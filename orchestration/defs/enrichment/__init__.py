"""What is told of events beyond what they say: by user agent, by address, and by the operator's own processors."""
