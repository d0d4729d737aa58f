"""Adds the harness to a project that has Airflow DAGs already, without changing a file of it."""
