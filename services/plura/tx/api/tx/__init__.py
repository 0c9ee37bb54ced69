"""Look up a transaction."""
