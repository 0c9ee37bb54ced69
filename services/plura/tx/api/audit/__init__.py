"""Lookups of the audit: who looked up what."""
