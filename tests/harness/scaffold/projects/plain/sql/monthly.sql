CREATE TABLE IF NOT EXISTS {{ params.table }} (month date PRIMARY KEY, value numeric);
DELETE FROM {{ params.table }} WHERE month = date '{{ ds }}';
INSERT INTO {{ params.table }}
SELECT date '{{ ds }}', avg(value) FROM (VALUES (1.5), (2.5)) AS averages (value);
