#!/bin/sh
# The pictures of docs/gallery.md: one photo through predict and enhance.
set -eu
photo=${1:?a photo, such as the astronaut of scikit-image}
out=$(dirname "$0")/../docs/images
made=$(mktemp -d)
trap 'rm -r "$made"' EXIT
fnormal predict "$photo" --mask face --side-by-side --quiet --out "$made" > "$made/paths"
fnormal enhance "$photo" --gif --quiet --out "$made/mesh" > "$made/paths"
name=$(basename "${photo%.*}")
smaller() {
    python -c 'import cv2, sys; cv2.imwrite(sys.argv[2], cv2.imread(sys.argv[1]), [cv2.IMWRITE_JPEG_QUALITY, 88])' "$@"
}
smaller "$made/${name}_side_by_side.png" "$out/side-by-side.jpg"
smaller "$made/mesh/${name}_before_after.png" "$out/before-after.jpg"
cp "$made/mesh/${name}_light.gif" "$out/light.gif"
ls "$out"
