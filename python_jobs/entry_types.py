"""The entry types of the ledger, for code that has no warehouse at hand; a test compares them with the seed."""

from __future__ import annotations

SIGNS = {
    "CHARGE": 1,
    "RECEIVE": 1,
    "REFUND_IN": 1,
    "MINT": 1,
    "PAYMENT": -1,
    "WITHDRAW": -1,
    "REFUND_OUT": -1,
    "BURN": -1,
    "HOLD": 0,
    "RELEASE": 0,
}
"""Direction of the money by entry type, as in ``seeds/entry_types.csv``: 1 to the wallet, -1 from it, 0 neither."""

ISSUING = frozenset({"CHARGE", "MINT", "WITHDRAW", "BURN"})
"""Entry types that change the issued supply, by their sign; ``supply_sign`` of the seed."""
