"""Look up the entries of a wallet."""
