"""Every number of the paper, once, with its section; and the defaults that are our own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

# --- Section 4.1: crop -----------------------------------------------------------------------
CROP_SCALE = 1.2  # side of the crop / larger side of the box of the 68 points (4.1)
CROP_SIZE_PX = 256  # input images are resized to 256 x 256 (4.1)
N_LANDMARKS = 68  # 2D key points of dlib (4.1, [31])

# --- Section 4.1: optimisation ---------------------------------------------------------------
EPOCHS = 40  # (4.1)
LEARNING_RATE = 1e-4  # Adam (4.1)

# --- Section 4.2: data -----------------------------------------------------------------------
MAX_ANGLE_DEG = math.degrees(math.pi / 4)  # rotation angle in [-pi/4, pi/4] (4.2)
LIGHT_INTENSITY_MAX = 2.0  # light intensity in [0, 2] (4.2)


@dataclass(frozen=True)
class ScanSet:
    """How many scans a set of the paper has, and how many views fnormal renders of each (4.2)."""

    scans: int
    views: int
    modality: Literal["pairs", "normals"]

    @property
    def samples(self) -> int:
        """Number of samples the paper reports for this set."""
        return self.scans * self.views


SCAN_SETS = {
    "ict3drfe": ScanSet(scans=23 * 15, views=25, modality="pairs"),  # 8,625 training pairs
    "bjut3d": ScanSet(scans=500, views=6, modality="normals"),  # 3,000 normal maps, no colour
    "florence": ScanSet(scans=53, views=10, modality="pairs"),  # 530 test pairs
}
CELEBA_HQ_IMAGES = 5000  # image-only training set (4.2)
PHOTOFACE_TRAIN_SUBJECTS = 353  # 9,478 pairs (4.2)
PHOTOFACE_TEST_SUBJECTS = 100  # 1,489 pairs (4.2)

# --- Section 4: metrics ----------------------------------------------------------------------
ERROR_THRESHOLDS_DEG = (20.0, 25.0, 30.0)  # Tables 1 and 2, Fig. 7

# Ours: what the papers on normals of scenes report, for comparison with them
FINE_THRESHOLDS_DEG = (5.0, 7.5, 11.25, 22.5)

# --- Section 3: architecture -----------------------------------------------------------------


@dataclass(frozen=True)
class Arch:
    """Channel counts of the cross-modal network (sections 3.1, 3.2, 4.1; see docs/paper.md).

    Attributes:
        name: What a checkpoint calls it.
        trunk: Channels of the four residual stages; the stem (conv1) has ``trunk[0]``.
        full: Channels of the image encoder's two full-resolution convolutions.
        latent_up: Channels of the latent inside the normal decoder, after its 1x1 convolution.
        normal_decoder: Output channels of the normal decoder's five convolutions, coarse to fine.
        image_decoder: Output channels of the image decoder's five convolutions, coarse to fine.
        detail: Ours: channels of the detail head. With it the trunk sees the picture at half its side, and
            the head adds what only the full size shows. 0: no such head.
    """

    name: str
    trunk: tuple[int, int, int, int]
    full: int
    latent_up: int
    normal_decoder: tuple[int, int, int, int, int]
    image_decoder: tuple[int, int, int, int, int]
    detail: int = 0

    @property
    def stride_px(self) -> int:
        """Sides of the input are multiples of this: five halvings, one more before a detail head."""
        return 64 if self.detail else 32

    @property
    def skips(self) -> tuple[int, int, int, int, int]:
        """Channels of the five skip connections (4.1), coarse to fine."""
        return (self.trunk[2], self.trunk[1], self.trunk[0], self.trunk[0], self.full)


# Ours: the same contract where a CPU trains in hours; the fine stages, the dear ones, are thin.
_LITE = Arch(
    "lite",
    trunk=(32, 64, 128, 256),
    full=16,
    latent_up=320,
    normal_decoder=(224, 128, 96, 48, 24),
    image_decoder=(160, 96, 64, 32, 16),
)
ARCHS = {
    # The authors' network: ResNet-18 (4.1) and the decoder widths of their release.
    "paper": Arch(
        "paper",
        trunk=(64, 128, 256, 512),
        full=64,
        latent_up=768,
        normal_decoder=(640, 320, 320, 192, 64),
        image_decoder=(512, 256, 256, 128, 64),
    ),
    "lite": _LITE,
    # Ours: lite at half the size and a head that sees all pixels: 1.6 times the cost of lite at 128 px.
    "fine": replace(_LITE, name="fine", detail=32),
    # For tests and for a first look at a training run: seconds, not hours.
    "tiny": Arch(
        "tiny",
        trunk=(8, 16, 24, 32),
        full=8,
        latent_up=48,
        normal_decoder=(40, 32, 24, 24, 16),
        image_decoder=(24, 24, 16, 16, 8),
    ),
}


@dataclass(frozen=True)
class Ablation:
    """Which branches a network has (Fig. 6)."""

    skip: Literal["max", "concat", "none"]
    normal_encoder: bool
    image_decoder: bool


ABLATIONS = {
    "full": Ablation("max", True, True),  # Fig. 6a: deactivable skip connections
    "no-skip": Ablation("none", True, True),  # Fig. 6b
    "no-normal-encoder": Ablation("concat", False, True),  # Fig. 6c: standard skips (4.4)
    "plain": Ablation("concat", False, False),  # Fig. 6d: standard skips (4.4)
}

# --- Ours: what the paper leaves open --------------------------------------------------------
FRAME = "opengl"  # x right, y up, z toward the viewer: the one frame inside fnormal
BATCH_SIZE = 16
MAX_LIGHTS = 4  # directional lights of a rendered view, in the shader and in /view
CACHE_GB = 2.0  # decoded training samples kept in memory
VIEWS = 10  # views of a scan in a set that the paper does not use
SEED = 0
SUPERSAMPLE = 3  # colour samples a pixel side; normals are the centre sample, never blended
EYE_DISTANCE_MM = 63.0  # mean distance of the pupils, scales a photo's mesh to metres
UNIT_ERROR_DEG = 8.0  # error that a raw normal of length 1 expects, of networks that learn their confidence
DOUBTFUL_SCORE = (
    0.4  # of a face: portraits score above 0.8, patches taken for faces up to 0.37, profiles 0.28
)
VIDEO_SMOOTH = 0.5  # of the frame before, moved along, in a video's normals: halves the flicker
BLEND_SCALE_MM = 25.0  # enhance: forms wider than this stay the coarse mesh's; see benchmarks/enhance.py
MAX_SHIFT_MM = 8.0  # enhance: no vertex moves farther
RECONCILE_MM, RECONCILE_SHARE = 5.0, 0.6  # enhance: predicted forms wider than this go over to the mesh's
UV_SIZE_PX = 2048  # side of baked normal maps
DEPTH_WEIGHT = 0.25  # enhance --depth: of a measured pixel against a pair of neighbours
DEPTH_RANGE_M = (0.2, 3.0)  # a face outside was read at a wrong --depth-scale
ENHANCE_CROP_SCALE = 1.45  # enhance: wider than the paper's crop, so that it holds the forehead
SHARD_SAMPLES = 128  # samples of a shard: what a killed worker loses, and what --workers share out
SHARD_BYTES = 400_000_000  # of a shard before compression: it is made in memory
MAX_SAMPLE_PX = 4096  # largest side of a sample of a data set
MAX_TRIANGLES = 3_000_000  # larger meshes are refused before they fill the memory
MAX_PICTURE_PX = 150_000_000  # larger pictures are refused unless --max-megapixels says otherwise
MAX_TEXTURE_PX = 80_000_000  # so are larger textures; 8192 x 8192 passes
