#!/usr/bin/env bash
# Makes the bucket and this machine ready for models. See --help.
exec "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib/launch" operator.setup_r2 "$@"
