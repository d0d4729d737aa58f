CREATE SCHEMA IF NOT EXISTS raw;
CREATE TABLE IF NOT EXISTS raw.orders (
    region text, day date, id int, amount numeric(10, 2),
    PRIMARY KEY (region, day, id)
);
