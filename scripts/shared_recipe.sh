# What skins_run.sh, families_run.sh, usual_frame_run.sh, hair_run.sh and mouths_run.sh share. They set
# $hdri, $skins and $wide, the last two $vitruvian, $hair and $here too.

render_unlit() { # a source, and what differs
    fnormal render-dataset "$@" --modality pairs --views 3 --workers 2 --lighting rich --environments "$hdri" \
        --mask surface --crop-jitter 0.9 --size 288 --keep-albedo --skins "$skins/skins.npz" --backend soft
}

train_lit() { # sets of pairs, and what differs; the photos come last in the mix
    fnormal train "$@" --images "$skins/portraits.h5" --val "$wide/hard.h5" --optimizer muon --schedule one-cycle \
        --normal-loss angle --gradient-weight 0.6 --hull-share 0.6 --relight 0.9 --cover --environments "$hdri" \
        --confidence-weight 0.03 --ema 0.998 --precision bf16 --cross-modal-every 1000000 --threads 1 --workers 1
}

render_haired() { # a source, and what differs
    render_unlit "$@" --hair "$vitruvian"
}

train_haired() { # what differs; the shares of further pairs stand after these in the mix
    train_lit --pairs "$hair/ict.h5" --pairs "$hair/side.h5" --pairs "$hair/makehuman.h5" \
        --pairs "$hair/vitruvian.h5" --pairs "$hair/ict_lids.h5" --pairs "$hair/makehuman_lids.h5" \
        --pairs "$hair/vitruvian_lids.h5" --pairs "$wide/paper.h5" --pairs "$wide/paper2.h5" \
        --reframe 0.4 --consistency-weight 0.6 "$@"
}

part_of_the_way() { # weights, the run that began with them, and how far: RUN_end and RUN_mean.safetensors
    python "$here/last_weights.py" "$2" "$2_end.safetensors"
    python "$here/average_weights.py" "$1" "$2_end.safetensors" "$3" "$2_mean.safetensors"
}
