#!/bin/sh
# Detail on a coarse mesh of the face in face.jpg; run it in a folder that holds the picture.
set -eu

fnormal enhance face.jpg
