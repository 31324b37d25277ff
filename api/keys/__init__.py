"""The keys of a project: for sending events and for reading data."""
