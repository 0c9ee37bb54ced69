"""Find what has an id."""
