#!/bin/sh
# What heads of one family are worth for another (docs/ablation.md): `lite` at 64 px from scratch on two families of
# three and on all. One CPU core, about 10 minutes a row.
set -eu
out=${1:?the folder of the runs}
ict=${2:?skin_a.h5 of skins_run.sh}
makehuman=${3:?makehuman.h5 of families_run.sh}
vitruvian=${4:?its vitruvian.h5}
hard=${5:?a set to validate on}

row() {
    name=$1; epochs=$2; mix=$3; shift 3
    [ -e "$out/$name/done" ] && return 0
    fnormal train "$@" --mix "$mix" --val "$hard" --arch lite --size 64 --batch-size 32 --optimizer muon \
        --schedule one-cycle --lr 3e-3 --epochs "$epochs" --normal-loss angle --hull-share 0.6 --reframe 0.5 \
        --ema 0.998 --cross-modal-every 1000000 --precision bf16 --seed 5 --threads 1 --workers 0 --out "$out/$name"
    mkdir -p "$out/$name"
    touch "$out/$name/done"
}

# about 980 batches each
row ict-makehuman 5 1,1 --pairs "$ict" --pairs "$makehuman"
row ict-vitruvian 5 1,1 --pairs "$ict" --pairs "$vitruvian"
row makehuman-vitruvian 9 1,1 --pairs "$makehuman" --pairs "$vitruvian"
row all 4 1,1,1 --pairs "$ict" --pairs "$makehuman" --pairs "$vitruvian"
