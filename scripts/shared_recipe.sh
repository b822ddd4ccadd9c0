# What the recipes from skins_run.sh on share. They set $hdri, $skins and $wide, from hair_run.sh on $hair too,
# from mouths_run.sh on $mouths; those that render hair set $vitruvian.

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

train_aimed() { # what differs; on mouths wide open and heads from the side too
    train_haired --cache-gb 12 --pairs "$mouths/makehuman_side.h5" --pairs "$mouths/vitruvian_side.h5" \
        --pairs "$mouths/ict_mouths.h5" --pairs "$mouths/makehuman_mouths.h5" \
        --pairs "$mouths/vitruvian_mouths.h5" \
        --mix 2.4,0.8,1.0,1.0,0.6,0.35,0.35,0.6,0.8,0.6,0.6,0.6,0.4,0.4,1.4 "$@"
}

train_branches() { # what differs; normal encoder and image decoder, which runs at 256 px leave behind
    fnormal train --pairs "$hair/ict.h5" --pairs "$hair/makehuman.h5" --pairs "$hair/vitruvian.h5" \
        --pairs "$hair/ict_lids.h5" --pairs "$hair/makehuman_lids.h5" --pairs "$hair/vitruvian_lids.h5" \
        --pairs "$wide/paper.h5" --only normal-encoder,image-decoder --arch lite --size 128 --batch-size 48 \
        --epochs 2 --lr 2e-3 --optimizer muon --schedule one-cycle --normal-loss angle --reframe 0.4 \
        --precision bf16 --cache-gb 12 --threads 1 --workers 1 "$@"
}
