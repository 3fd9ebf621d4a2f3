#!/usr/bin/env bash
# Makes the Python environment of an MLflow server, once per lock file. Prints its path as the last line.
#   uv pip compile requirements.in --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock
set -euo pipefail
cd "$(dirname "$0")"

python=${PYTHON:-python3}
hash=$({ cat requirements.lock; "$python" --version; } | sha256sum | cut -c1-16)
store="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/venv-mlflow-$hash"
if [ ! -f "$store/.ready" ]; then
  echo "installing MLflow (1 GB, once per lock file)…" >&2
  rm -rf "$store"
  "$python" -m venv "$store"
  "$store/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
  touch "$store/.ready"
fi
echo "$store"
