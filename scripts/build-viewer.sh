#!/bin/sh
# Bundle three.js (MIT) and viewer/main.js into fnormal/data/viewer.js, which is not committed.
set -eu
cd "$(dirname "$0")/../viewer"
command -v npm > /dev/null || { echo "npm is missing: apt-get install npm" >&2; exit 1; }
npm ci --no-audit --no-fund --silent >&2
npm run --silent build >&2
