#!/bin/sh
# Builds the programs of the test cluster (stdout names them; nobody here needs the names).
exec "$(dirname -- "$0")/../../e2e/build.sh" >/dev/null
