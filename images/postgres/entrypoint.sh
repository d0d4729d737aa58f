#!/bin/sh
# Makes the cluster at first start, then becomes the server. Reads the official image's variables: POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS.
set -eu

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD; this server has no access without a password}"
    user=${POSTGRES_USER:-postgres}
    secret=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
    # shellcheck disable=SC2086  # arguments are words
    initdb --username="$user" --pwfile="$secret" --auth=scram-sha-256 ${POSTGRES_INITDB_ARGS:---encoding=UTF8} > /dev/null
    rm "$secret"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    if [ "${POSTGRES_DB:-$user}" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "${POSTGRES_DB:-$user}" | postgres --single -j -D "$PGDATA" postgres > /dev/null
    fi
fi
unset POSTGRES_PASSWORD
exec "$@"
