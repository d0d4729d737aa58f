#!/usr/bin/env bash
echo "==> connections of this example"
airflow connections add local_pg \
    --conn-type postgres \
    --conn-host postgresdb \
    --conn-schema shop \
    --conn-login "${POSTGRES_USER}" \
    --conn-password "${POSTGRES_PASSWORD}"
airflow variables set export_format jsonl
