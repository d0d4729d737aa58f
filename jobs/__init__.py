"""The code that tasks call: plain functions, importable and testable without Airflow."""
