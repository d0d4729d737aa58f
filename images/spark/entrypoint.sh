#!/bin/sh
# Becomes the command, like the official image's entry point: there is nothing to prepare.
set -eu
exec "$@"
