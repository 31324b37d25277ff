"""Which properties events carry, and what changes about them."""

from governance.properties.changes import Change
from governance.properties.scan import PropertyScan, scan_properties

__all__ = ["Change", "PropertyScan", "scan_properties"]
