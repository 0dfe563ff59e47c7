#!/usr/bin/env bash
# Which models are in the bucket, and whether they are whole. See --help.
exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/launch" operator.list_models "$@"
