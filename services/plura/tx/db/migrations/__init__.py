"""Migrations of the schema ``bo``, in the order of their numbers."""
