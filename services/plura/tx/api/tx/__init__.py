"""Look up one transaction."""
