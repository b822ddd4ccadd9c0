#!/bin/sh
# How the weights of third_run.sh went on with 17,888 new heads: 5 minutes of rendering on 15 CPU cores, 4 of
# training on one H200 GPU. That run rendered until a clock ran out, and took 300 samples of anny.h5.
set -eu
first=${1:?usage: gpu_run.sh FIRST_OUT WEIGHTS.safetensors OUT [ICT]}
weights=${2:?the weights to start from}
out=${3:?the folder of the run}
ict=${4:-auto}

render() {
    fnormal render-dataset "$ict" --dataset ict-facekit --workers 15 --backend soft "$@"
}

render --scans 8960 --views 4 --seed 41 --mask surface --size 160 --crop-jitter 0.1 --out "$out/ict_paper.h5"
render --scans 8928 --views 4 --seed 42 --mask surface --size 160 --crop-jitter 0.35 --lighting rich \
    --out "$out/ict_rich.h5"
render --scans 40 --views 2 --seed 9003 --out "$out/val.h5"

fnormal train --pairs "$out/ict_paper.h5" --pairs "$out/ict_rich.h5" --normals "$first/anny.h5" \
    --val "$out/val.h5" --arch lite --size 128 --batch-size 64 --optimizer muon --schedule one-cycle --lr 2.5e-3 \
    --epochs 6 --mix 5,4.5,0.4 --normal-loss angle --gradient-weight 0.6 --hull-share 0.75 \
    --cross-modal-every 16 --seed 5 --workers 15 --device cuda --init "$weights" --out "$out/run"
