#!/bin/sh
# How the weights of second_light.sh went on with Muon on the pairs of both scripts, on two CPU cores: 90 minutes
# of Eq. 1 (planned as 5 epochs, shortened to 4 after 629 of its batches), then 85 minutes with most samples
# counting inside the hull alone, both beside other work.
set -eu
first=${1:?usage: third_run.sh FIRST_OUT SECOND_OUT SECOND.safetensors}
second=${2:?the folder of second_light.sh}
weights=${3:?the weights to start from}

go_on() {
    fnormal train --pairs "$second/ict_rich.h5" --pairs "$second/ict_paper.h5" --pairs "$first/ict_rich.h5" \
        --pairs "$first/ict_paper.h5" --normals "$first/anny.h5" --val "$first/val_ict.h5" --arch lite \
        --size 128 --optimizer muon --schedule one-cycle --cache-gb 12 "$@"
}
go_on --epochs 4 --lr 2e-3 --mix 6,2,3.2,1.8,0.6 --gradient-weight 0.3 --cross-modal-every 8 \
    --init "$weights" --out "$second/run_b"
go_on --epochs 4 --lr 1.5e-3 --mix 5,3,2.5,2.7,0.4 --gradient-weight 0.6 --cross-modal-every 16 \
    --normal-loss angle --hull-share 0.75 --seed 1 --init "$second/run_b/best.safetensors" --out "$second/run_c"
