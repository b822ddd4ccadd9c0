#!/bin/sh
# How the weights of second_light.sh went on with Muon, on two CPU cores: 90 minutes of Eq. 1 (planned as 5
# epochs, shortened to 4 after 629 of its batches), then 85 minutes with most samples counting inside the hull
# alone, then 18 minutes of the same with 800 new heads; all beside other work.
set -eu
first=${1:?usage: third_run.sh FIRST_OUT SECOND_OUT SECOND.safetensors OUT [ICT]}
second=${2:?the folder of second_light.sh}
weights=${3:?the weights to start from}
out=${4:?the folder of the runs}
ict=${5:-auto}

go_on() {
    fnormal train --normals "$first/anny.h5" --val "$first/val_ict.h5" --arch lite --size 128 \
        --optimizer muon --schedule one-cycle --cache-gb 12 "$@"
}

render() {
    fnormal render-dataset "$ict" --dataset ict-facekit --workers 2 --mask surface --size 160 --backend soft "$@"
}

go_on --pairs "$second/ict_rich.h5" --pairs "$second/ict_paper.h5" --pairs "$first/ict_rich.h5" \
    --pairs "$first/ict_paper.h5" --mix 6,2,3.2,1.8,0.6 --epochs 4 --lr 2e-3 --gradient-weight 0.3 \
    --cross-modal-every 8 --init "$weights" --out "$out/run_b"

go_on --pairs "$second/ict_rich.h5" --pairs "$second/ict_paper.h5" --pairs "$first/ict_rich.h5" \
    --pairs "$first/ict_paper.h5" --mix 5,3,2.5,2.7,0.4 --epochs 4 --lr 1.5e-3 --gradient-weight 0.6 \
    --cross-modal-every 16 --normal-loss angle --hull-share 0.75 --seed 1 \
    --init "$out/run_b/best.safetensors" --out "$out/run_c"

render --scans 800 --views 4 --seed 21 --crop-jitter 0.1 --out "$out/ict_paper.h5"
go_on --pairs "$out/ict_paper.h5" --pairs "$second/ict_rich.h5" --pairs "$second/ict_paper.h5" \
    --mix 5,3,1,0.3 --epochs 1 --lr 8e-4 --gradient-weight 0.6 --cross-modal-every 16 --normal-loss angle \
    --hull-share 0.75 --seed 2 --init "$out/run_c/best.safetensors" --out "$out/run_d"
