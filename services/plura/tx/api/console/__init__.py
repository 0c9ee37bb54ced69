"""Pages for people: the same lookups, authorization and audit, without scripts."""
