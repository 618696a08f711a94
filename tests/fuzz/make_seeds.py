#!/usr/bin/env python3
"""Makes the seeds that are in seeds/: what this program reads but does not write. Needs Pillow and numpy.

The pictures are of an ellipse, 16 x 12 pixels; the sets have two images of 2 x 3.
"""
import pathlib
import zipfile
import zlib

import numpy
from PIL import Image, ImageDraw

seeds = pathlib.Path(__file__).parent / "seeds"


def save(image, kind, name, **options):
    path = seeds / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


picture = Image.new("RGBA", (16, 12), (250, 248, 240, 255))
ImageDraw.Draw(picture).ellipse((5, 2, 10, 9), outline=(20, 30, 90, 255), width=2)
colour, grey = picture.convert("RGB"), picture.convert("L")

for name, image in {"grey": grey, "colour": colour, "alpha": picture, "grey-alpha": picture.convert("LA"),
                    "bits": picture.convert("1"), "16-bit": Image.fromarray(numpy.array(grey).astype("u2") * 257),
                    "palette": colour.quantize(5), "palette-16": colour.quantize(16)}.items():
    save(image, "png", f"{name}.png", optimize=True)
    save(image, "png", f"{name}-stored.png", compress_level=0)  # mutations reach the rows
save(colour, "png", "transparent.png", transparency=(250, 248, 240))


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


# Interlaced (Adam7), which Pillow does not write: first row, row step, first column, column step.
passes = (0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)
rows = [b"\0" + row.tobytes() for y, dy, x, dx in passes for row in numpy.array(colour)[y::dy, x::dx]]
header = (16).to_bytes(4, "big") + (12).to_bytes(4, "big") + bytes([8, 2, 0, 0, 1])
(seeds / "png" / "interlaced.png").write_bytes(
    b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows), 0)) +
    chunk(b"IEND", b""))
for sampling in 0, 1, 2:
    save(colour, "jpeg", f"colour-{sampling}.jpeg", quality=60, subsampling=sampling)
save(colour, "jpeg", "progressive.jpeg", quality=60, progressive=True, optimize=True)
save(grey, "jpeg", "grey-progressive.jpeg", quality=60, progressive=True)
save(grey, "jpeg", "restart.jpeg", quality=60, restart_marker_blocks=1)
save(colour, "jpeg", "rgb.jpeg", quality=60, keep_rgb=True)
save(colour.convert("CMYK"), "jpeg", "cmyk.jpeg", quality=60)
turned = Image.Exif()
turned[0x0112] = 6
save(grey, "jpeg", "turned.jpeg", quality=60, exif=turned)
for name, image in {"bits": picture.convert("1"), "palette": colour.quantize(16), "grey": grey, "colour": colour,
                    "alpha": picture}.items():
    save(image, "bmp", f"{name}.bmp")


def save_set(name, method, arrays):
    path = seeds / "npz" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for key, array in arrays.items():
            info = zipfile.ZipInfo(f"{key}.npy")
            info.compress_type = method
            with archive.open(info, "w") as member:
                numpy.lib.format.write_array(member, array, version=(1, 0))


images = numpy.arange(12, dtype="u1").reshape(2, 2, 3)
labels = numpy.array([3, 9])
both = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
save_set("stored", zipfile.ZIP_STORED, both)
save_set("deflated", zipfile.ZIP_DEFLATED, both)
save_set("colour", zipfile.ZIP_STORED, {"x_test": numpy.stack([images] * 3, 3), "y_test": labels.astype("u1")})
