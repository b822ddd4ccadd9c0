#!/bin/sh
# What each part of the made-up training data is worth: the weights before all of them, trained on with every part
# and with one left out (docs/ablation.md). One CPU core, about five minutes a row.
set -eu
start=${1:?weights to start from, such as fnormal/data/lite.safetensors of commit bffb872}
out=${2:?the folder of the runs}
ict=${3:?ict_facekit.npz, FaceXModel, or auto}
hdri=${4:?a folder of HDR panoramas}
skins=${5:?skins.npz of fnormal unwrap}
portraits=${6:?an image-only set of portraits}
hard=${7:?a set to validate on}
seeds=${8:-0}
mkdir -p "$out"

render() {
    name=$1; shift
    [ -e "$out/$name.h5" ] || fnormal render-dataset "$ict" --dataset ict-facekit --views 3 --lighting rich \
        --environments "$hdri" --mask surface --crop-jitter 0.9 --size 224 --keep-albedo --backend soft \
        --scans 500 --seed 81 --out "$out/$name.h5" "$@"
}

render heads --variety 1.3 --skins "$skins"
render no-skins --variety 1.3
render no-variety --skins "$skins"

# the relief is no option: who leaves it out is here alone
program='import sys, fnormal.training.relight as r
if sys.argv.pop(1) == "no-relief": r._RELIEF_SHARE = 0.0
from fnormal.cli.app import app
app(prog_name="fnormal")'

row() {
    name=$1; set=$2; shift 2
    for seed in $seeds; do
        run=$out/$name-$seed
        [ -e "$run/done" ] && continue
        [ -e "$run/last.ckpt" ] && resume=--resume || resume=
        python -c "$program" "$name" train --pairs "$out/$set.h5" --arch lite --size 128 --batch-size 16 \
            --optimizer muon --schedule one-cycle --lr 1.2e-3 --epochs 5 --normal-loss angle --gradient-weight 0.6 \
            --hull-share 0.6 --environments "$hdri" --ema 0.998 --cross-modal-every 1000000 --precision bf16 \
            --val "$hard" --seed "$seed" --threads 1 --workers 0 --init "$start" --out "$run" $resume "$@"
        mkdir -p "$run"
        touch "$run/done"
    done
}

all="--reframe 0.85 --relight 0.9 --cover"
agree="--images $portraits --mix 4,1 --consistency-weight 0.5"
row everything heads $all $agree
row no-reframe heads --relight 0.9 --cover $agree
row no-relight heads --reframe 0.85 --cover $agree
row no-relief heads $all $agree
row no-cover heads --reframe 0.85 --relight 0.9 $agree
row no-skins no-skins $all $agree
row no-variety no-variety $all $agree
row no-images heads $all
