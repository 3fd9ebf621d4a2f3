#!/usr/bin/env bash
# Makes the Python environment of one peer, once per lock file. Prints its path as the last line.
#   e2e/bench/serve/peers/venv.sh fastapi|mlserver|bentoml|kserve
# A new lock: edit PEER/requirements.txt, install it into an empty environment, `pip freeze` into PEER/requirements.lock.
set -euo pipefail
cd "$(dirname "$0")"

peer=$1
python=${PYTHON:-python3}
lock=$peer/requirements.lock
hash=$({ cat "$lock"; "$python" --version; } | sha256sum | cut -c1-16)
store="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/venv-serve-$peer-$hash"
if [ ! -f "$store/.ready" ]; then
  echo "installing $peer (once per lock file)…" >&2
  rm -rf "$store"
  "$python" -m venv "$store"
  # The lock is whole, so nothing is resolved anew.
  "$store/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$lock" >&2
  touch "$store/.ready"
fi
echo "$store"
