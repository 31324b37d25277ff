"""What every service shares, one domain noun per module."""
