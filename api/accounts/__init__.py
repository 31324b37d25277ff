"""People: signing up and in, their sessions, passwords and second factors."""
