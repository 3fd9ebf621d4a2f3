#!/usr/bin/env bash
# Makes the Python environment of the tests (numpy, onnx, onnxruntime, pyarrow, tritonclient, pytest; no PyTorch) once per lock file.
# Prints its path as the last line.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "foresail needs Python >= 3.11; $python was not found" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "foresail needs Python >= 3.11; found $("$python" --version)" >&2; exit 1; }

lock=models/requirements.lock
hash=$({ cat "$lock"; "$python" --version; } | sha256sum | cut -c1-16)
store="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/venv-$hash"
if [ ! -f "$store/.ready" ]; then
  echo "installing PyTorch and the other Python dependencies (5 GB, some minutes, once per lock file)…" >&2
  rm -rf "$store"
  "$python" -m venv "$store"
  "$store/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  touch "$store/.ready"
fi
echo "$store"
