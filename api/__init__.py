"""The read API: the modelled tables over HTTP."""
