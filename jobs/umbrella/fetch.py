"""Asks the upstream systems for a day, and returns the bytes to keep: what is kept raw can be cleaned again."""

from __future__ import annotations

import json
from datetime import date

import httpx

from jobs.common.http import get, pages


def fetch_weather(client: httpx.Client, day: date) -> bytes:
    """Return the weather service's answer as it is."""
    return get(client, "/weather", date=str(day)).content


def fetch_sales_old(client: httpx.Client, day: date) -> bytes:
    """Return the old ERP's export as it is."""
    return get(client, "/erp/old/sales.csv", date=str(day)).content


def fetch_sales_new(client: httpx.Client, day: date) -> bytes:
    """Return the items of all pages of the new ERP, as one list."""
    return json.dumps(list(pages(client, "/erp/new/sales", date=str(day)))).encode()
