"""Look up a payment order with its ledger entries."""
