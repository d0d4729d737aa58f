#!/usr/bin/env bash
airflow connections add local_s3 --conn-type aws --conn-login "${AWS_ACCESS_KEY_ID}" --conn-password "${AWS_SECRET_ACCESS_KEY}" \
    --conn-extra "{\"endpoint_url\": \"http://${AWS_SERVER}:${AWS_PORT}\"}"
