"""The landing tables: what arrived, whether it is sound, and the projects it belongs to."""
