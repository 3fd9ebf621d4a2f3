#!/usr/bin/env bash
# Installs node_modules once per lock file into the user's cache and links it here, so that a second
# clone starts in seconds. A real node_modules folder (from `npm install`) is a developer's own and is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v node >/dev/null && command -v npm >/dev/null || { echo "foresail needs Node.js >= 20 with npm; node or npm was not found" >&2; exit 1; }
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || { echo "foresail needs Node.js >= 20 with npm; found $(node --version)" >&2; exit 1; }
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "foresail develops and tests on Linux x86_64; this is $(uname -sm)" >&2; exit 1; }

if [ -d node_modules ] && [ ! -L node_modules ]; then exit 0; fi

hash=$(cat package.json package-lock.json .npmrc | sha256sum | cut -c1-16)
store="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/node/$hash"
if [ ! -d "$store/node_modules" ]; then
  echo "installing Node dependencies (about a minute, once per lock file)…"
  mkdir -p "$(dirname "$store")"
  work=$(mktemp -d "$store.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cp package.json package-lock.json .npmrc "$work/"
  # Not `npm ci`: some packages name binaries for a dozen platforms as optional dependencies, and npm leaves those
  # that a registry does not serve out of the lock file; `npm ci` then calls the lock incomplete on any machine.
  # `npm install --no-save` takes the same pinned versions and checks the same digests.
  (cd "$work" && npm install --no-save --no-progress --loglevel=error)
  cmp -s package-lock.json "$work/package-lock.json" || { echo "npm changed the lock file while installing" >&2; exit 1; }
  mv -T "$work" "$store" 2>/dev/null || [ -d "$store/node_modules" ]
fi
ln -sfn "$store/node_modules" node_modules
