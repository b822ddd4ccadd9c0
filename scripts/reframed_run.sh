#!/bin/sh
# How the weights of gpu_run.sh learned to depend less on the frame around the face: 8 minutes of rendering on two CPU
# cores, then 32 and 18 minutes of training on one of them, beside other work.
set -eu
weights=${1:?usage: reframed_run.sh WEIGHTS.safetensors OUT ICT HDRI}
out=${2:?the folder of the runs}
ict=${3:?FaceKit, or auto}
hdri=${4:?a folder of HDR panoramas}
here=$(dirname "$0")

render() {
    fnormal render-dataset "$ict" --dataset ict-facekit --mask surface --crop-jitter 0.9 --size 224 --workers 2 \
        --backend soft --views 3 "$@"
}

go_on() {
    fnormal train --arch lite --size 128 --optimizer muon --schedule one-cycle --normal-loss angle \
        --gradient-weight 0.6 --hull-share 0.6 --cross-modal-every 1000000 --threads 1 --val "$out/hard.h5" "$@"
}

fnormal render-dataset "$ict" --dataset ict-facekit --scans 16 --views 4 --seed 9002 --lighting rich \
    --backend soft --out "$out/hard.h5"
render --scans 1400 --seed 61 --lighting rich --environments "$hdri" --out "$out/env.h5"
render --scans 600 --seed 62 --lighting rich --out "$out/rich.h5"
render --scans 400 --seed 63 --out "$out/paper.h5"
render --scans 700 --seed 64 --out "$out/paper2.h5"

go_on --pairs "$out/env.h5" --pairs "$out/rich.h5" --pairs "$out/paper.h5" --reframe 0.85 --lr 1e-3 --epochs 4 \
    --seed 7 --init "$weights" --out "$out/run1"
# three quarters of the way from the old weights to the new: nearly all of the gain, less of the cost
python "$here/average_weights.py" "$weights" "$out/run1/best.safetensors" 0.75 "$out/mixed.safetensors"
go_on --pairs "$out/env.h5" --pairs "$out/rich.h5" --pairs "$out/paper.h5" --pairs "$out/paper2.h5" \
    --mix 3,1.5,1.2,2.3 --reframe 0.75 --lr 8e-4 --epochs 2 --seed 8 --init "$out/mixed.safetensors" \
    --out "$out/run2"
python "$here/average_weights.py" "$out/mixed.safetensors" "$out/run2/best.safetensors" 0.5 "$out/final.safetensors"
