"""Dashboards: saved insights and texts on a grid."""
