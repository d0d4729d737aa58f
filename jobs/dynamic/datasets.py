"""The columns of each dataset: what a message holds, which one is its id, whom it is about, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """Names of columns. Args: subject: account or policy; fields: all, in their order, as text in the message."""

    key: str
    subject: str
    amount: str
    fields: tuple[str, ...]


DATASETS = {
    "transactions": Dataset(
        "transaction_id",
        "account_id",
        "amount",
        ("transaction_id", "account_id", "amount", "currency", "txn_type", "event_ts"),
    ),
    "claims": Dataset(
        "claim_id",
        "policy_id",
        "claim_amount",
        ("claim_id", "policy_id", "claim_type", "claim_amount", "status", "event_ts"),
    ),
}
