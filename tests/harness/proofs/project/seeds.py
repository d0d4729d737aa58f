from __future__ import annotations


def seed(services, dates, data):
    """Put two sales of each date into the shop's table, and make the one of `two_shops`."""
    shop = services["postgres"].client
    shop.execute("CREATE TABLE IF NOT EXISTS shop (day date, amount int)")
    shop.execute("CREATE TABLE IF NOT EXISTS shops (name text, day date, total int)")
    for day in dates:
        shop.execute("DELETE FROM shop WHERE day = %s", [day])
        shop.execute("INSERT INTO shop VALUES (%s, %s), (%s, 7)", [day, day.day * 10 + data.seed, day])
