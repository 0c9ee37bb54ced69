"""Pages for people: the same lookups, rights and audit without a line of script."""
