"""Finds personal data in event properties and says where it is, never what it is."""

from governance.pii.finding import Finding, Sample
from governance.pii.scan import Scan, ScanLimits, scan

__all__ = ["Finding", "Sample", "Scan", "ScanLimits", "scan"]
