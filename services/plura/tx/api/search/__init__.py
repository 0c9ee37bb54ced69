"""Find out what an id names."""
