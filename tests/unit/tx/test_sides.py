"""From which wallet to which an entry moves money: refunds, reversals, fees, and entries without a sign."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plura.tx.api.entries import TracedEntry
from python_jobs.entry_types import ISSUING, SIGNS
from tests.unit.tx.entries import entry

PAID = {"related_id": "po-1", "payer_wallet_id": "payer", "payee_wallet_id": "payee"}


def of_payment(entry_type: str, wallet: str, signed: int | None, **changed: object) -> TracedEntry:
    amount = None if signed is None else Decimal(signed)
    return entry(**(PAID | {"entry_type": entry_type, "wallet_id": wallet, "amount_signed": amount} | changed))


@pytest.mark.parametrize(
    ("entry_type", "wallet", "signed", "sender", "receiver"),
    [
        ("PAYMENT", "payer", -10, "payer", "payee"),
        ("RECEIVE", "payee", 10, "payer", "payee"),
        ("REFUND_IN", "payer", 10, "payee", "payer"),
        ("REFUND_OUT", "payee", -10, "payee", "payer"),
        ("REFUND_IN", "payer", None, "payee", "payer"),  # the type gives the direction
        ("REFUND_OUT", "payee", None, "payee", "payer"),
        ("REFUND", "payer", 10, "payee", "payer"),
        ("REFUND", "payee", -10, "payee", "payer"),
        ("REFUND", "payer", None, "payee", "payer"),  # nothing gives it: back where it came from
        ("REFUND", "payee", 0, "payee", "payer"),
        ("PARTIAL_REFUND", "payer", 10, "payee", "payer"),
        ("refund_in", "payer", 10, "payee", "payer"),
        ("REFUND_IN", "other", 10, "payee", "other"),  # another wallet of the payer
        ("REFUND_OUT", "other", -10, "other", "payer"),  # a wallet for refunds
        ("REFUND_IN", "payee", 10, None, "payee"),  # nobody refunds oneself
        ("REVERSAL", "payer", 10, None, "payer"),  # against the payment, from nobody knows whom
        ("CHARGEBACK", "payee", -10, "payee", None),
        ("CASHBACK", "payer", 10, None, "payer"),
        ("FEE", "payee", -1, "payee", None),
        ("FEE", "other", -1, "payer", "payee"),  # the payment that it belongs to
        ("HOLD", "payer", 0, "payer", "payee"),
        ("HOLD", "payer", None, "payer", "payee"),
    ],
)
def test_money_goes_from_who_gave_to_who_received(
    entry_type: str, wallet: str, signed: int | None, sender: str | None, receiver: str | None
) -> None:
    assert of_payment(entry_type, wallet, signed).sides == (sender, receiver)


@pytest.mark.parametrize(
    ("changed", "sender", "receiver"),
    [
        ({"payer_wallet_id": None}, "payee", "w"),
        ({"payee_wallet_id": None}, None, "w"),
        ({"payer_wallet_id": None, "payee_wallet_id": None}, None, "w"),
        ({"related_id": None}, None, "w"),
        ({"related_type": "REFUND"}, None, "w"),
    ],
)
def test_a_refund_shows_who_received_even_if_little_is_known(
    changed: dict[str, object], sender: str | None, receiver: str
) -> None:
    assert of_payment("REFUND_IN", "w", 10, **changed).sides == (sender, receiver)


@pytest.mark.parametrize(
    ("entry_type", "wallet", "signed", "counterparty"),
    [
        ("PAYMENT", "payer", -10, "payee"),
        ("RECEIVE", "payee", 10, "payer"),
        ("REFUND_IN", "payer", 10, "payee"),
        ("REFUND_OUT", "payee", -10, "payer"),
        ("HOLD", "payer", 0, "payee"),
        ("FEE", "other", -1, None),
        ("FEE", "payee", -1, None),
    ],
)
def test_the_counterparty_is_the_other_side(
    entry_type: str, wallet: str, signed: int, counterparty: str | None
) -> None:
    assert of_payment(entry_type, wallet, signed).counterparty_wallet_id == counterparty


def test_an_entry_without_a_payment_has_no_counterparty() -> None:
    assert entry(entry_type="CHARGE", amount_signed=Decimal(5)).counterparty_wallet_id is None


WALLETS = st.sampled_from([None, "a", "b", "c"])


@given(
    st.sampled_from(["REFUND_IN", "REFUND_OUT", "REFUND", "REVERSAL", "CASHBACK", "CHARGE", "WITHDRAW", "SOMETHING"]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([None, -5, 0, 5]),
    WALLETS,
    WALLETS,
    st.sampled_from([None, "po-1"]),
    st.sampled_from([None, "PAYMENT_ORDER", "OTHER"]),
)
def test_no_wallet_that_received_money_is_shown_as_its_only_sender(
    entry_type: str,
    wallet: str,
    signed: int | None,
    payer: str | None,
    payee: str | None,
    related_id: str | None,
    related_type: str | None,
) -> None:
    traced = of_payment(
        entry_type,
        wallet,
        signed,
        payer_wallet_id=payer,
        payee_wallet_id=payee,
        related_id=related_id,
        related_type=related_type,
    )
    sender, receiver = traced.sides
    known = {None, wallet, payer, payee}
    assert {sender, receiver} <= known
    if payer != payee:
        if traced.sign > 0:
            assert sender != wallet
        if traced.sign < 0:
            assert receiver != wallet
    assert traced.counterparty_wallet_id in known


_SEED = Path(__file__).parents[3] / "seeds" / "entry_types.csv"
_TYPES = {row["entry_type"]: row for row in csv.DictReader(_SEED.read_text().splitlines())}


def test_the_table_of_signs_is_that_of_the_seed() -> None:
    assert {name: int(row["sign"]) for name, row in _TYPES.items()} == SIGNS
    issued = {name: int(row["supply_sign"]) for name, row in _TYPES.items() if row["supply_sign"] != "0"}
    assert issued == {name: SIGNS[name] for name in ISSUING}


@pytest.mark.parametrize("entry_type", sorted({*_TYPES, *SIGNS}))
def test_a_type_has_the_sign_that_the_lake_gives_it(entry_type: str) -> None:
    assert entry(entry_type=entry_type, amount_signed=None).sign == int(_TYPES[entry_type]["sign"])
