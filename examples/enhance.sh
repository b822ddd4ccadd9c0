#!/bin/sh
# A photo's normals on a face mesh: normal map, GLB, PLY and a before/after picture.
set -eu
photo=${1:?usage: enhance.sh PHOTO OUT}
out=${2:?usage: enhance.sh PHOTO OUT}

fnormal enhance "$photo" --out "$out"
