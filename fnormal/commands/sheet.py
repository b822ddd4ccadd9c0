"""sheet: image, ours and others side by side (Figs. 4, 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fnormal.arrays import F32, U8
from fnormal.datasets.hdf5 import HDF5_SUFFIXES, open_pairs
from fnormal.datasets.sample import Pair
from fnormal.errors import FNormalError
from fnormal.evaluation.metrics import pixel_errors_deg
from fnormal.evaluation.pictures import SAMPLE_TITLES, grid, normals_picture, sample_pictures
from fnormal.evaluation.predictions import file_predictions, network_predictions
from fnormal.faces.crop import crop_around
from fnormal.files.naming import Guard, refuse_existing
from fnormal.geometry.normal_maps import read_normals
from fnormal.geometry.picturefile import check_picture_name, find_images, read_image, write_image
from fnormal.network.checkpoint import default_weights, load_weights, named_weights
from fnormal.network.device import free_cores, set_up
from fnormal.options.faces import Sheet
from fnormal.prediction.files import is_own_output
from fnormal.prediction.predictor import Predictor
from fnormal.progress import Progress

_BATCH = 8


def sheet(options: Sheet) -> Iterator[Progress]:
    """Write the sheet of a data set's samples, or of photos.

    Raises:
        FNormalError: A data set among several inputs, or a file that cannot be read.
    """
    out = options.out or Path("sheet.png")
    check_picture_name(out)
    weights, predictions = options.weights or [], options.predictions or []
    Guard([*map(Path, options.inputs), *weights, *predictions]).check([out])
    if options.out is None:
        refuse_existing([out])
    device = set_up(options.compute.device, options.compute.threads or free_cores())
    methods = Methods(weights or [default_weights()], predictions, options.frame, device)
    sets = [name for name in options.inputs if Path(name).suffix in HDF5_SUFFIXES]
    if sets and len(options.inputs) > 1:
        raise FNormalError(f"{sets[0]}: a sheet is of one data set or of photos, not of both")
    if sets:
        picture = _of_samples(Path(sets[0]), methods, options.count, options.size_px)
    else:
        listings = [find_images(Path(name), is_own_output) for name in options.inputs]
        yield Progress(warning="; ".join(listing.skipped for listing in listings if listing.skipped))
        photos = [path for listing in listings for path in listing.paths]
        picture = _of_photos(photos, methods, options.size_px)
    write_image(out, picture)
    yield Progress(written=(out,))


@dataclass(frozen=True)
class Methods:
    """What fills the columns.

    Attributes:
        weights: Files of networks.
        predictions: Folders of other methods' normal maps.
        frame: Axes of those maps; None is what each file says of itself.
        device: Where networks run.
    """

    weights: Sequence[Path]
    predictions: Sequence[Path]
    frame: str | None
    device: str


def _of_samples(path: Path, methods: Methods, count: int, size_px: int) -> U8:
    """Columns image, truth, then normals and their error of each method."""
    data = open_pairs(path)
    chosen = data.spread(count)
    columns: dict[str, list[tuple[Pair, F32]]] = {}
    for name, file in named_weights(methods.weights).items():
        model, info = load_weights(file)
        model.to(methods.device)
        run = network_predictions(model, info, data, batch_size=_BATCH, mirror=True, only=chosen)
        columns[name] = list(run)
    for folder in methods.predictions:
        columns[folder.name] = list(file_predictions(folder, data, methods.frame, only=chosen))
    image, truth, normals, error = SAMPLE_TITLES
    del normals  # a method's column has its name
    titles = [image, truth, *(title for name in columns for title in (name, error))]
    rows, notes = [], []
    for index, *predicted in zip(chosen, *columns.values(), strict=True):
        pictures, means = list[U8](), []
        for sample, pred in predicted:
            errors = pixel_errors_deg(pred, sample.normals, sample.mask)
            means.append(f"{errors.mean():.1f}")
            shown = sample_pictures(sample, pred, errors)
            pictures += shown[2:] if pictures else shown
        rows.append(pictures)
        notes.append(f"{index:06d}: {' / '.join(means)}")
    return grid(rows, titles, size_px, notes)


def _of_photos(paths: Sequence[Path], methods: Methods, size_px: int) -> U8:
    """Columns image, then normals of each method, around each photo's largest face.

    Others' maps carry the photo's name and size.
    """
    predictors = {n: Predictor(f, device=methods.device) for n, f in named_weights(methods.weights).items()}
    rows = []
    for path in paths:
        photo = read_image(path)
        finder = next(iter(predictors.values()))
        face = finder.find_faces(photo, str(path))[:1]
        crop = crop_around(face[0].landmarks, *photo.shape[:2], size_px=size_px)
        window = (slice(crop.y_px, crop.y_px + crop.side_px), slice(crop.x_px, crop.x_px + crop.side_px))
        pictures = [photo[window]]
        for predictor in predictors.values():
            (result,) = predictor.predict(photo, face)
            pictures.append(normals_picture(result.normals, result.mask)[window])
        for folder in methods.predictions:
            normals, mask = read_normals(_of_photo(folder, path), methods.frame)
            if normals.shape[:2] != photo.shape[:2]:
                raise FNormalError(f"{_of_photo(folder, path)} has another size than {path}")
            pictures.append(normals_picture(normals, mask)[window])
        rows.append(pictures)
    titles = ["image", *predictors, *(folder.name for folder in methods.predictions)]
    return grid(rows, titles, size_px)


def _of_photo(folder: Path, photo: Path) -> Path:
    maps = sorted(folder.glob(f"{photo.stem}_normals.*")) + sorted(folder.glob(f"{photo.stem}.*"))
    if not maps:
        raise FNormalError(f"{folder} has no {photo.stem}_normals or {photo.stem}; check --predictions")
    return maps[0]
