"""Puts the inputs of the traps in place: one `Seed` for each kind of trap, which also makes the tables it works on."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

COUNTRIES = ("BE", "DE", "NL")
ITEMS = ("bread", "milk", "salt")
CUSTOMERS = tuple(f"c{number:02}" for number in range(8))
#: where a customer's membership began, so that an age can be told
OPENING = date(2020, 1, 1)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")

Services = Mapping[str, Any]
Input = Callable[[Services, date, "Chance"], None]


@dataclass(frozen=True)
class Seed:
    """What a trap finds before it runs: the same content for the same date and `data.seed`, at each call.

    Args:
        inputs: called for each date.
        tables: DDL of tables, as the warehouse's migrations would have made them; run each time.
    """

    inputs: tuple[Input, ...]
    tables: tuple[str, ...] = ()

    def __call__(self, services: Services, dates: Iterable[date], data: Any) -> None:
        for statement in self.tables:
            services["postgres"].client.execute(statement)
        for day in dates:
            for put in self.inputs:
                put(services, day, Chance(f"{data.seed} {day} {put.__name__}", data.change))


class Chance(random.Random):
    """What is drawn for one input of one day.

    Args:
        seed: the same draws for the same text.
        change: `more` or `less` for a row more or less than there are else.
    """

    def __new__(cls, seed: str, change: str | None) -> Chance:
        return super().__new__(cls, seed)

    def __init__(self, seed: str, change: str | None) -> None:
        super().__init__(seed)
        self.more = {"more": 1, "less": -1}.get(change or "", 0)


def orders_of(day: date, chance: Chance) -> list[dict[str, Any]]:
    """Return a day's orders; of one that is withdrawn the others stay as they are."""
    return [
        {
            "order_id": f"{day:%Y%m%d}-{number:03}",
            "day": day.isoformat(),
            "customer": chance.choice(CUSTOMERS),
            "customer_since": (OPENING + timedelta(days=chance.randrange(1000))).isoformat(),
            "country": COUNTRIES[number % len(COUNTRIES)],
            "cents": chance.randrange(100, 10_000),
        }
        for number in range(12 + chance.more)
    ]


def land(services: Services, key: str, content: Any) -> None:
    """Put an object into the landing bucket."""
    s3 = services["s3"]
    s3.client.put_object(Bucket=s3.physical("landing"), Key=key, Body=json.dumps(content).encode())


def orders(services: Services, day: date, chance: Chance) -> None:
    """Deliver the web shop's orders."""
    land(services, f"orders/{day}.json", orders_of(day, chance))


def stores(services: Services, day: date, chance: Chance) -> None:
    """Deliver the stores' orders."""
    land(services, f"stores/{day}.json", orders_of(day, chance))


def addresses(services: Services, day: date, chance: Chance) -> None:
    """Deliver the moves of a day; most customers move every day."""
    moved = chance.sample(CUSTOMERS, 6)
    changes = [{"customer": who, "city": f"city {chance.randrange(10**6)}", "changed_on": str(day)} for who in moved]
    land(services, f"addresses/{day}.json", changes)


def stock(services: Services, day: date, chance: Chance) -> None:
    """Deliver what was counted in the evening."""
    land(services, f"stock/{day}.json", [{"item": item, "pieces": chance.randrange(10**6)} for item in ITEMS])


def partners(services: Services, day: date, chance: Chance) -> None:
    """Deliver the whole list of partners."""
    names = ("Acacia", "Birch", "Cedar")
    land(
        services, f"partners/{day}.json", [{"name": name, "city": f"city {chance.randrange(10**6)}"} for name in names]
    )


def sales(services: Services, day: date, chance: Chance) -> None:
    """Book the sales of a day in the shop's own table."""
    rows = [
        (day, number, chance.choice(ITEMS), COUNTRIES[number % 3], chance.randrange(100, 10_000)) for number in range(9)
    ]
    replace(services, "sales", "day", day, rows)


def sales_history(services: Services, day: date, chance: Chance) -> None:
    """Book many old sales."""
    rows = [(day, number, chance.choice(ITEMS), chance.randrange(100, 10_000)) for number in range(20_000)]
    replace(services, "sales_history", "day", day, rows)


def visits(services: Services, day: date, chance: Chance) -> None:
    """Note a day's visits in the shop's own table, the first of them at midnight sharp."""
    midnight = datetime.combine(day, time(), UTC)
    rows = [
        (day, number, midnight + timedelta(hours=2 * number), chance.randrange(100, 10_000)) for number in range(12)
    ]
    replace(services, "visits", "day", day, rows)


def local_visits(services: Services, day: date, chance: Chance) -> None:
    """Note the visits of a day in Amsterdam, every two hours by the clock there."""
    clock = [datetime.combine(day, time(hour), AMSTERDAM) for hour in range(0, 24, 2)]
    rows = [(day, number, moment, chance.randrange(100, 10_000)) for number, moment in enumerate(clock)]
    replace(services, "visits", "day", day, rows)


def price_changes(services: Services, day: date, chance: Chance) -> None:
    """Put a day's price changes into the outbox; what is in it already stays as it is."""
    for item in ITEMS:
        payload = json.dumps({"item": item, "cents": chance.randrange(100, 10_000)})
        services["postgres"].client.execute(
            "INSERT INTO price_outbox VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", [f"{day}/{item}", day, payload]
        )


def closed_days(services: Services, day: date, chance: Chance) -> None:
    """Have the cashiers close the day."""
    services["postgres"].client.execute("INSERT INTO closed_days VALUES (%s) ON CONFLICT DO NOTHING", [day])


def order_messages(services: Services, day: date, chance: Chance) -> None:
    """Send a day's orders to the topic, and a message that ends the day; not again what is there."""
    kafka = services["kafka"].client
    wanted = [(str(day).encode(), json.dumps(order).encode()) for order in orders_of(day, chance)]
    wanted.append((f"end of {day}".encode(), b"{}"))
    known = {(message.key, message.value) for message in kafka.read("orders")}
    kafka.produce("orders", [message for message in wanted if message not in known])


def orders_to_load(services: Services, day: date, chance: Chance) -> None:
    """Send a day's orders to the topic, by order; not again what is there."""
    kafka = services["kafka"].client
    wanted = [(order["order_id"].encode(), json.dumps(order).encode()) for order in orders_of(day, chance)]
    known = {(message.key, message.value) for message in kafka.read("orders")}
    kafka.produce("orders", [message for message in wanted if message not in known])


def replace(services: Services, table: str, column: str, day: date, rows: list[tuple[Any, ...]]) -> None:
    """Replace a day's rows of a table."""
    from psycopg import sql

    connection = services["postgres"].client
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE {} = %s").format(sql.Identifier(table), sql.Identifier(column)), [day]
        )
        marks = sql.SQL(", ").join(sql.Placeholder() * len(rows[0]))
        cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), marks), rows)


def table(name: str, columns: str) -> str:
    """Return the DDL of a table that may be there."""
    return f"CREATE TABLE IF NOT EXISTS {name} ({columns})"


ORDERS = table("orders", "order_id text, day date, customer text, cents int")
STAGED_ORDERS = table("stg_orders", "order_id text, day date, customer text, cents int")
SALES = table("sales", "day date, number int, item text, country text, cents int")
SALES_REPORT = table("sales_report", "day date, cents bigint")
VISITS = table("visits", "day date, number int, visited_at timestamptz, cents int")
JOURNAL = table("journal", "day date PRIMARY KEY, orders int")
OPEN_DAYS = table("open_days", "day date PRIMARY KEY")
TOTALS = table("totals", "day date, cents bigint")

orders_only = Seed((orders,))
stock_only = Seed((stock,))
append_load = Seed((orders,), (ORDERS,))
generated_key = Seed(
    (orders,), (table("country_report", "line_id text PRIMARY KEY, day date, country text, cents int"),)
)
points_again = Seed(
    (orders,), (table("points", "customer text PRIMARY KEY, points int"), table("booked_days", "day date PRIMARY KEY"))
)
produce_again = Seed(
    (price_changes,),
    (table("price_outbox", "id text PRIMARY KEY, day date, payload text, sent boolean NOT NULL DEFAULT false"),),
)
last_run_wins = Seed((addresses,), (table("addresses", "customer text PRIMARY KEY, city text, changed_on date"),))
high_water_mark = Seed((orders,), (table("payments", "payment_id text, day date, cents int"),))
latest_as_yesterday = Seed((sales,), (SALES, table("revenue", "day date, cents bigint, growth bigint")))
customer_without_day = Seed((orders,), (table("spent", "day date, customer text, cents int"),))
truncate_and_load = Seed((stock,), (table("stock", "day date, item text, pieces int"),))
closed_interval = Seed((visits,), (VISITS, table("visits_by_day", "day date, visits int, cents bigint")))
running_balance = Seed((sales,), (SALES, table("balance", "day date, cents bigint")))
control_table = Seed(
    (sales,),
    (
        SALES,
        SALES_REPORT,
        table("batch_control", "day date"),
        "INSERT INTO batch_control SELECT '2000-01-01' WHERE NOT EXISTS (SELECT FROM batch_control)",
    ),
)
shared_staging = Seed((orders,), (ORDERS, STAGED_ORDERS))
invoice_in_halves = Seed(
    (orders,),
    (
        table("invoices", "invoice_id text, day date, customer text"),
        table("invoice_lines", "invoice_id text, day date, cents int"),
    ),
)
drop_and_rename = Seed((sales,), (SALES,))
mail_before_load = Seed((orders,), (ORDERS, table("mails", "day date, text text")))
wiped_partners = Seed((partners,), (table("partners", "name text, city text, listed_on date"),))
largest_of_none = Seed((sales,), (SALES, table("largest", "day date, item text, cents int")))
zero_for_absent = Seed((orders,), (table("chart", "day date, cents int"),))
offsets_first = Seed(
    (orders_to_load,), (table("orders", "order_id text PRIMARY KEY, day date, customer text, cents int"),)
)
lock_stays = Seed((sales,), (SALES, SALES_REPORT))
running_sales = Seed((sales,), (SALES, SALES_REPORT))
age_of_today = Seed((orders,), (table("loyalty", "day date, customer text, days int"),))
coupon_from_now = Seed((orders,), (table("coupons", "order_id text, day date, good_until date"),))
note_always = Seed((orders,), (ORDERS, JOURNAL))
one_of_two_sources = Seed(
    (orders, stores), (table("raw_orders", "order_id text, day date, source text, cents int"), TOTALS)
)
end_of_day_marker = Seed((order_messages,), (ORDERS,))
flag_never_set = Seed((sales, closed_days), (SALES, SALES_REPORT, table("closed_days", "day date PRIMARY KEY")))
remembers_one_day = Seed(
    (orders,),
    (
        ORDERS,
        table("last_load", "day date"),
        "INSERT INTO last_load SELECT '2000-01-01' WHERE NOT EXISTS (SELECT FROM last_load)",
    ),
)
undo_of_the_last = Seed(
    (orders,),
    (table("accounts", "customer text PRIMARY KEY, cents int"), table("undo", "day date, customer text, cents int")),
)
join_after_branch = Seed((sales,), (SALES, SALES_REPORT, OPEN_DAYS))
countries_at_parse = Seed((sales,), (SALES, table("country_sales", "day date, country text, cents bigint")))
report_beside_load = Seed((orders,), (ORDERS, TOTALS, OPEN_DAYS))
rates = Seed((), (table("rates", "day date, rates text"),))
silent_callback = Seed((sales,), (SALES, SALES_REPORT, table("failures", "pipeline text")))
table_as_xcom = Seed(
    (sales_history,),
    (
        table("sales_history", "day date, number int, item text, cents int"),
        table("item_totals", "item text, cents bigint"),
    ),
)

orders_table = table("orders", "order_id text, day date, customer text, cents int")
mailed_days = table("mailed_days", "day date PRIMARY KEY")
payout_before_check = Seed((orders,), (orders_table,))
payout_with_new_key = Seed((orders,))
payout_cleared = Seed((orders,), (table("payouts", "day date PRIMARY KEY, cents int"),))
balance_as_of_now = Seed((orders,))
mail_at_each_run = Seed((orders,), (orders_table, mailed_days))
named_bucket = Seed((orders,))
named_bucket_emptied = Seed((orders,))
named_database = Seed((orders,), (table("payments", "payment_id text, day date, cents int"),))
named_topic = produce_again
partner_by_name = Seed((orders,))
partner_by_curl = Seed((orders,))
published_on_sundays = Seed((orders,), (orders_table,))
never_due = Seed((orders,), (orders_table,))
withdrawn_order = Seed((orders,), (table("orders", "order_id text PRIMARY KEY, day date, customer text, cents int"),))
folder_without_slash = Seed((orders,))
day_of_24_hours = Seed((local_visits,), (VISITS, table("visits_by_day", "day date PRIMARY KEY, cents bigint")))
left_in_staging = Seed((orders,), (ORDERS, STAGED_ORDERS))
filter_that_drops_all = Seed((orders,), (ORDERS,))
partner_by_address = Seed((orders,))
store_of_production = Seed((orders,))
six_hours_by_day = Seed((orders,))
named_bucket_month = Seed((orders,))
