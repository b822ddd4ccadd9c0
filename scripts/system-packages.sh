#!/bin/sh
# Install the Debian packages named as arguments if any is missing; without root, say what to run.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ]; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >&2
else
    echo "missing system packages; run: sudo apt-get update && sudo apt-get install -y$missing" >&2
    exit 1
fi
