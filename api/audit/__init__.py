"""The audit log: written as things happen, read by whoever may."""
