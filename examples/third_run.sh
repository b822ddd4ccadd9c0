#!/bin/sh
# How the weights of second_light.sh went on with Muon on the pairs of both scripts: 90 minutes on two CPU
# cores, beside other work. It was planned as 5 epochs and shortened to 4 after 629 of its batches.
set -eu
first=${1:?usage: third_run.sh FIRST_OUT SECOND_OUT SECOND.safetensors}
second=${2:?the folder of second_light.sh}
weights=${3:?the weights to start from}

fnormal train --pairs "$second/ict_rich.h5" --pairs "$second/ict_paper.h5" --pairs "$first/ict_rich.h5" \
    --pairs "$first/ict_paper.h5" --normals "$first/anny.h5" --mix 6,2,3.2,1.8,0.6 --val "$first/val_ict.h5" \
    --arch lite --size 128 --epochs 4 --optimizer muon --lr 2e-3 --schedule one-cycle --gradient-weight 0.3 \
    --cross-modal-every 8 --cache-gb 12 --init "$weights" --out "$second/run_b"
