#!/bin/sh
# Normal maps of a picture, three ways.
set -eu
photo=${1:?usage: predict.sh PHOTO OUT}
out=${2:?usage: predict.sh PHOTO OUT}

fnormal predict "$photo" --out "$out/camera" --json
fnormal predict "$photo" --out "$out/opencv" --frame opencv --format npy --forehead
fnormal predict - --out - < "$photo" > "$out/piped.png"
