#!/bin/sh
# Writes server.properties from KAFKA_* variables as the official image does (KAFKA_LOG_DIRS is log.dirs; `___` is `-`,
# `__` is `_`), formats the folder at first start, then becomes the broker.
set -eu

settings=/etc/kafka/server.properties
data=${KAFKA_LOG_DIRS:=/var/lib/kafka/data}
export KAFKA_LOG_DIRS
java="java ${KAFKA_HEAP_OPTS:--Xmx384m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC -XX:TieredStopAtLevel=1}"
java="$java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server=info"
java="$java -Dorg.slf4j.simpleLogger.showDateTime=true -cp /opt/kafka/libs/*"

env | sed -n 's/^KAFKA_//p' | grep -v -E '^(HEAP_OPTS|JVM_PERFORMANCE_OPTS|OPTS|LOG4J_)' | while IFS='=' read -r name value; do
    key=$(printf '%s' "$name" | tr '[:upper:]' '[:lower:]' | sed 's/___/-/g; s/__/\x01/g; s/_/./g; s/\x01/_/g')
    printf '%s=%s\n' "$key" "$value"
done > "$settings"

own_id=ZHRhcC1oYXJuZXNzLTAwMQ
set -f
if [ ! -s "$data/meta.properties" ]; then
    if [ "${CLUSTER_ID:-$own_id}" = "$own_id" ] && [ "${KAFKA_NODE_ID:-1}" = 1 ] && [ -d /var/lib/kafka/formatted ]; then
        mkdir -p "$data"
        cp -r /var/lib/kafka/formatted/. "$data/"
    else
        $java kafka.tools.StorageTool format -t "${CLUSTER_ID:-$own_id}" -c "$settings" > /dev/null
    fi
fi
[ "${1:-}" != format ] || exit 0
exec $java ${KAFKA_OPTS:-} kafka.Kafka "$settings"
