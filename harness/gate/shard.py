"""Decides which part of a stage's evidence one machine of a matrix collects."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

from harness.environment import Environment
from harness.errors import ConfigError

_OF_DAGS = ("runs", "proofs", "contracts")
"""Requirements that are collected DAG by DAG; the first shard collects all others."""


class Shard(NamedTuple):
    """One of several shares, `number` of `total`; the first is 1."""

    number: int
    total: int


def parse(text: str) -> Shard:
    """Read `2/3`.

    Raises:
        ConfigError: it is no share of anything.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    shard = Shard(*map(int, found.groups())) if found else Shard(0, 0)
    if not 1 <= shard.number <= shard.total:
        raise ConfigError(f"{text!r} is no shard", hint="write --shard 1/3 for the first of three")
    return shard


def share(environment: Environment, dag_ids: Collection[str], shard: Shard) -> Environment:
    """Return the environment with a policy that asks for this shard's part alone.

    Evidence of a shard is about the same subjects as that of the whole, since the policy is none of them.

    Args:
        dag_ids: the DAGs that there are.

    Raises:
        ConfigError: there are fewer DAGs than shards, so that this one would check nothing.
    """
    policy = environment.spec.gate
    wanted = list(policy.runs) or sorted(dag_ids)
    mine = wanted[shard.number - 1 :: shard.total]
    if not mine:
        raise ConfigError(f"there is no DAG for shard {shard.number}: {environment.name} has {len(wanted)} to run")
    requires = [name for name in policy.requires if shard.number == 1 or name in _OF_DAGS]
    part = policy.model_copy(update={"runs": mine, "requires": requires})
    return replace(environment, spec=environment.spec.model_copy(update={"gate": part}))
