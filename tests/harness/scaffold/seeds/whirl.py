def orders(services, dates, data):
    with services["postgres"].client_for("shop").cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (id int, amount int, ordered_at timestamptz)")
        for day in dates:
            cursor.execute("INSERT INTO orders VALUES (1, 7, %s)", [f"{day}T01:00:00Z"])


def files(services, dates, data):
    for day in dates:
        for name in ("part-0", "part-1", "_SUCCESS"):
            services["s3"].client.put_object(Bucket="demo-s3-input", Key=f"files/{day}/{name}", Body=name.encode())
