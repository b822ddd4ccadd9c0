#!/bin/sh
# How `quality` came from `fine`: its coarse stages widened, then two epochs on the sets of families_run.sh. About 110
# minutes on two cores of a Xeon with AMX, beside other work.
set -eu
weights=${1:?usage: quality_run.sh FINE.safetensors OUT HDRI SKINS_OUT FAMILIES_OUT WIDE}
out=${2:?the folder of the run}
hdri=${3:?a folder of HDR panoramas}
skins=${4:?the folder of skins_run.sh, for its sets}
families=${5:?the folder of families_run.sh, for its sets}
wide=${6:?the folder of reframed_run.sh, for its wide sets}

mkdir -p "$out"
python "$(dirname "$0")/widen_weights.py" "$weights" quality one-way "$out/start.safetensors"
fnormal train --pairs "$skins/skin_a.h5" --pairs "$skins/skin_b.h5" --pairs "$families/makehuman.h5" \
    --pairs "$families/vitruvian.h5" --pairs "$wide/paper.h5" --pairs "$wide/paper2.h5" --pairs "$wide/env.h5" \
    --images "$skins/portraits.h5" --mix 3.4,1,1.3,1.3,0.6,0.6,0.7,1.8 --val "$wide/hard.h5" --arch quality \
    --ablation one-way --size 256 --batch-size 16 --optimizer muon --schedule one-cycle --lr 1.5e-3 --epochs 2 \
    --normal-loss angle --gradient-weight 0.6 --hull-share 0.6 --reframe 0.75 --relight 0.9 --cover \
    --environments "$hdri" --confidence-weight 0.03 --consistency-weight 0.5 --ema 0.998 --precision bf16 \
    --cross-modal-every 1000000 --seed 31 --threads 1 --workers 1 --init "$out/start.safetensors" --out "$out/run"
