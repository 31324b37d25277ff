"""Typed query documents: one question of any kind, asked ad hoc."""
