"""Training the cross-modal network (section 3.3)."""

# name of --normal-loss -> module:function of (predicted units, true units) [B, 3, H, W] -> error [B, H, W]
NORMAL_LOSSES = {
    "cosine": "fnormal.training.losses:cosine_error",
    "angle": "fnormal.training.losses:angle_error",
}
