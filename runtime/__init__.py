"""Everything on one machine: real engines without Docker, and the command that runs them."""
