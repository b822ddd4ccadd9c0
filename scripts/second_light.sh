#!/bin/sh
# How the weights of first_weights.sh went on under the richer light: 9 minutes of rendering and 35 of
# training on two CPU cores.
set -eu
out=${1:?usage: second_light.sh OUT FIRST.safetensors [ICT]}
first=${2:?the weights to start from}
ict=${3:-auto}

fnormal render-dataset "$ict" --dataset ict-facekit --scans 1500 --views 4 --seed 11 --workers 2 \
    --lighting rich --mask surface --crop-jitter 0.35 --size 160 --backend soft --out "$out/ict_rich.h5"
fnormal render-dataset "$ict" --dataset ict-facekit --scans 500 --views 4 --seed 12 --workers 2 \
    --mask surface --crop-jitter 0.1 --size 160 --backend soft --out "$out/ict_paper.h5"
fnormal render-dataset "$ict" --dataset ict-facekit --scans 16 --views 4 --seed 9002 \
    --lighting rich --backend soft --out "$out/val_hard.h5"

# anny.h5 and val_ict.h5 are those of first_weights.sh
fnormal train --pairs "$out/ict_rich.h5" --pairs "$out/ict_paper.h5" --normals "$out/anny.h5" \
    --val "$out/val_ict.h5" --arch lite --size 128 --epochs 2 --lr 1.2e-3 --schedule one-cycle \
    --optimizer adamw --gradient-weight 0.3 --cross-modal-every 8 --cache-gb 6 --init "$first" \
    --out "$out/run"
