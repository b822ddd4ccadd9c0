#!/bin/sh
# Normal maps of face.jpg, three ways; run it in a folder that holds the picture.
set -eu

fnormal predict face.jpg
fnormal predict face.jpg --out unity --frame directx --format png8 --mask face
fnormal predict - --out - < face.jpg > normals.png
