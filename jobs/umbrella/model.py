"""The demand model: a least squares fit of a day's units to its weather, registered by day, one of them deployed.

A model's id is made of its content: training again on the same rows gives the same model, and nothing to deploy anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from jobs.common.tables import make_table
from jobs.umbrella.contract import key

_ROWS = "SELECT units, temp_c::float8, rain_mm::float8 FROM public.umbrella_demand WHERE day = %s ORDER BY store_id"

_MODELS = """CREATE TABLE IF NOT EXISTS public.umbrella_models (
    day date PRIMARY KEY, model_id text NOT NULL UNIQUE, object_key text NOT NULL, row_count integer NOT NULL,
    rmse float8 NOT NULL, trained_at timestamptz NOT NULL DEFAULT now())"""
_REGISTER = """INSERT INTO public.umbrella_models AS held (day, model_id, object_key, row_count, rmse)
    VALUES (%(day)s, %(model_id)s, %(object_key)s, %(rows)s, %(rmse)s)
    ON CONFLICT (day) DO UPDATE SET model_id = excluded.model_id, object_key = excluded.object_key,
        row_count = excluded.row_count, rmse = excluded.rmse, trained_at = excluded.trained_at
    WHERE held.model_id <> excluded.model_id"""

_DEPLOYED = """CREATE TABLE IF NOT EXISTS public.umbrella_deployed (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one), day date NOT NULL, model_id text NOT NULL)"""
_DEPLOY = """INSERT INTO public.umbrella_deployed AS held (day, model_id)
    SELECT day, model_id FROM public.umbrella_models WHERE model_id = %s
    ON CONFLICT (only_one) DO UPDATE SET day = excluded.day, model_id = excluded.model_id
    WHERE held.day <= excluded.day"""


@dataclass(frozen=True)
class Model:
    """Units = intercept + per_degree * temp_c + per_mm * rain_mm; `rmse` in units, on the rows it was made of."""

    day: str
    rows: int
    intercept: float
    per_degree: float
    per_mm: float
    rmse: float

    @property
    def model_id(self) -> str:
        return f"{self.day}-{hashlib.sha256(self.as_json()).hexdigest()[:12]}"

    def as_json(self) -> bytes:
        """Return what is kept in the store."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def train(dsn: str, day: date) -> Model | None:
    """Fit a model to a day's rows; None when the day has none."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_ROWS, (day,)).fetchall()
    return fit(rows, day) if rows else None


def fit(rows: list[tuple[Any, ...]], day: date) -> Model:
    """Fit a model to rows (units, degrees, millimetres); figures are rounded to 9 digits, which any machine gives."""
    import numpy as np

    table = np.array(rows, dtype=float)
    units, weather = table[:, 0], np.column_stack([np.ones(len(table)), table[:, 1:]])
    found, *_ = np.linalg.lstsq(weather, units, rcond=None)
    rmse = float(np.sqrt(np.mean((weather @ found - units) ** 2)))
    intercept, per_degree, per_mm = (round(float(one), 9) for one in found)
    return Model(str(day), len(table), intercept, per_degree, per_mm, round(rmse, 9))


def register(model: Model, *, dsn: str, s3: Any, bucket: str) -> str:
    """Keep a model and enter it in the registry, in the place of the day's earlier one; return its id."""
    import psycopg

    at = key("models", date.fromisoformat(model.day))
    s3.put_object(Bucket=bucket, Key=at, Body=model.as_json(), ContentType="application/json")
    entry = asdict(model) | {"model_id": model.model_id, "object_key": at}
    with psycopg.connect(dsn) as connection:
        make_table(connection, _MODELS)
        connection.execute(_REGISTER, entry)
    return model.model_id


def deploy(model_id: str, *, dsn: str) -> bool:
    """Point to a registered model, in one step; an older day's model never takes the place of a newer one's.

    Returns:
        Whether the pointer is at this model now.
    """
    import psycopg

    with psycopg.connect(dsn) as connection:
        make_table(connection, _DEPLOYED)
        return connection.execute(_DEPLOY, (model_id,)).rowcount == 1
