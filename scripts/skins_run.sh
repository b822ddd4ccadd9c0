#!/bin/sh
# How the weights of reframed_run.sh became `fine`: skins of portraits, a new light every epoch, agreement on
# photos. 13 minutes of preparation and about 110 of training on the two cores of a Xeon with AMX, beside other work.
set -eu
weights=${1:?usage: skins_run.sh WEIGHTS.safetensors OUT ICT HDRI PORTRAITS WIDE}
out=${2:?the folder of the runs}
ict=${3:?ict_facekit.npz, FaceXModel, or auto}
hdri=${4:?a folder of HDR panoramas}
portraits=${5:?a folder of portraits that may be trained on}
wide=${6:?the folder of reframed_run.sh, for its wide sets}
here=$(dirname "$0")
skins=$out
. "$here/shared_recipe.sh"

fnormal import-photos "$portraits" --dataset folder --crop-scale 2.0 --size 320 --out "$out/portraits.h5" || true
fnormal unwrap "$portraits" --model "$ict" --out "$out/skins.npz" || true  # some have no face

render_unlit "$ict" --dataset ict-facekit --variety 1.3 --scans 1500 --seed 71 --out "$out/skin_a.h5"
render_unlit "$ict" --dataset ict-facekit --variety 1.3 --scans 300 --seed 72 --max-angle 85 --out "$out/skin_b.h5"
train_lit --pairs "$out/skin_a.h5" --pairs "$out/skin_b.h5" --pairs "$wide/paper.h5" \
    --pairs "$wide/paper2.h5" --pairs "$wide/env.h5" --mix 5,1.2,0.6,0.6,0.8,1.8 --arch fine --size 256 \
    --batch-size 16 --lr 1.2e-3 --epochs 5 --reframe 0.85 --consistency-weight 0.5 --seed 11 \
    --init "$weights" --out "$out/run3"
# three quarters of the way: nearly all of what photos gain, less of what rendered heads lose
python "$here/start_of_run.py" "$out/run3/best.safetensors" "$weights" "$out/start.safetensors" "$out/skin_a.h5" \
    "$out/skin_b.h5" "$wide/paper.h5" "$wide/paper2.h5" "$wide/env.h5" "$out/portraits.h5"
python "$here/average_weights.py" "$out/start.safetensors" "$out/run3/best.safetensors" 0.75 "$out/final.safetensors"
