"""Wire protocols: one file each, a translation from a request's body to the event contract."""
