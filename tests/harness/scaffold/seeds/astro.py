def orders(services, dates, data):
    for region in ("emea", "amer"):
        for day in dates:
            services["s3"].client.put_object(
                Bucket="landing-orders", Key=f"{region}/{day}.csv", Body=f"id,amount\n1,10.50\n2,{day.day}\n".encode()
            )


def revenue(services, dates, data):
    create = "CREATE SCHEMA raw; CREATE TABLE raw.orders (region text, day date, id int, amount numeric(10, 2))"
    services["postgres"].client.execute(create)
    services["postgres"].client.execute("INSERT INTO raw.orders VALUES ('emea', '2026-01-02', 1, 10.5)")
