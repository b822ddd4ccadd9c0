#!/bin/sh
# The whole way at toy size, two minutes on a CPU: free heads, data sets, a network, a table.
set -eu

fnormal render-dataset auto --dataset anny --scans 4 --views 4 --size 64
fnormal render-dataset auto --dataset anny --scans 2 --views 4 --size 64 --seed 1 \
    --modality normals --out data/normals.h5
fnormal render-dataset auto --dataset anny --scans 2 --views 4 --size 64 --seed 2 --out data/val.h5
fnormal train --arch tiny --size 64 --batch-size 8 --epochs 2 --lr 1e-3 --out first-run
fnormal eval data/val.h5 --weights first-run/best.safetensors
