-- replaces the line of one day
DELETE FROM sales_report WHERE day = '{{ ds }}';
INSERT INTO sales_report SELECT day, sum(cents) FROM sales WHERE day = '{{ ds }}' GROUP BY day;
