"""Tables as files, whichever endpoint they come from."""
