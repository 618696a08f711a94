#!/usr/bin/env python3
"""Pictures as people have them, made from MNIST's test images: does `mnist_gpu predict` read them as
it reads the plain ones? Every kind is written to a directory and read with one command; a line says
how many kept the prediction of the plain image. With --strings, several digits in one picture are
read with --multi and compared with their labels.

Needs numpy and Pillow. The network is the latest run unless --weights names one.
"""
import argparse
import gzip
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

SIDE = 28


def load_idx(folder, stem):
    for name in (f"{stem}", f"{stem}.gz", stem.replace("-idx", ".idx"), stem.replace("-idx", ".idx") + ".gz"):
        path = pathlib.Path(folder, name)
        if path.exists():
            data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
            dims = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(data[3])]
            return np.frombuffer(data, np.uint8, offset=4 + 4 * len(dims)).reshape(dims)
    sys.exit(f"own_pictures.py: no {stem} in {folder}")


# ---- ink: an image as a larger grey picture, bright on black ----

def enlarged(image, scale, method=Image.BICUBIC):
    return Image.fromarray(image).resize((SIDE * scale, SIDE * scale), method)


def any_scale(random):
    return int(random.integers(5, 21))


def upscaled(image, random):
    return enlarged(image, any_scale(random), Image.NEAREST)


def smooth(image, random):
    return enlarged(image, any_scale(random))


def inverted(image, random):
    return Image.fromarray(255 - np.asarray(smooth(image, random)))


def placed(ink, width, height, random):
    sheet = np.zeros((height, width), np.uint8)
    x, y = random.integers(0, width - ink.width + 1), random.integers(0, height - ink.height + 1)
    sheet[y:y + ink.height, x:x + ink.width] = ink
    return sheet


def moved(image, random):
    """Not scaled at all, or scaled; somewhere on a sheet up to three times as large."""
    ink = enlarged(image, 1 if random.random() < 0.5 else any_scale(random))
    width, height = (int(ink.width * random.uniform(1.2, 3)) for _ in range(2))
    return Image.fromarray(placed(ink, width, height, random))


def rotated(image, random):
    return smooth(image, random).rotate(random.uniform(-10, 10), Image.BICUBIC)


def dilated(ink, steps):
    """By a square and a cross in turn, which is nearly a disc; the margin of a picture is paper."""
    for step in range(steps):
        rows = ink | np.roll(ink, 1, 0) | np.roll(ink, -1, 0)
        around = rows if step % 2 == 0 else ink
        ink = rows | np.roll(around, 1, 1) | np.roll(around, -1, 1)
    return ink


def skeleton(ink, least):
    """The centres of the largest discs that fit into the ink (Lantuejoul's skeleton), those of less
    than `least` pixels' radius left out: they lie in its uneven edges."""
    found, radius = np.zeros_like(ink), 0
    while ink.any():
        radius += 1
        smaller = ~dilated(~ink, 1)
        if radius >= least:
            found |= ink & ~dilated(smaller, 1)
        ink = smaller
    return found


def pen(image, width):
    """Written again by a pen of `width` of MNIST's pixels, dark on white."""
    scale = 8
    line = skeleton(np.pad(np.asarray(enlarged(image, scale)) > 127, 3 * scale), scale // 2)
    line = dilated(line, round(width * scale / 2))
    return Image.fromarray(255 - 255 * line.astype(np.uint8))


def thin(image, random):
    return pen(image, random.uniform(0.4, 1))


def thick(image, random):
    return pen(image, random.uniform(3, 4))


def on_paper(ink, random):
    """Dark ink on grey paper, lit from one side, with noise."""
    ink = np.asarray(ink, np.float32) / 255
    height, width = ink.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, strength = random.uniform(0, 2 * math.pi), random.uniform(20, 80)
    ramp = (math.cos(angle) * x / width + math.sin(angle) * y / height) * strength
    paper = random.uniform(170, 215) + ramp - ramp.mean()
    picture = paper * (1 - ink * random.uniform(0.45, 0.85))
    return np.clip(picture + random.normal(0, random.uniform(2, 8), ink.shape), 0, 255)


def paper(image, random):
    return Image.fromarray(on_paper(smooth(image, random), random).astype(np.uint8))


def through_jpeg(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    file.seek(0)
    return Image.open(file)


def jpeg60(image, random):
    return through_jpeg(inverted(image, random), 60)


def alpha(image, random):
    ink = smooth(image, random)
    colour = int(random.choice([0, 255]))
    sheet = Image.new("RGBA", ink.size, (colour, colour, colour, 0))
    sheet.putalpha(ink)
    return sheet


def photo(image, random):
    """A sheet in bad light: vignette, a soft shadow across it, the table's dark edge, a ruled line,
    specks, blur, JPEG."""
    ink = enlarged(image, int(random.integers(6, 12)))
    width, height = int(ink.width * random.uniform(1.2, 2.2)), int(ink.height * random.uniform(1.2, 2.2))
    sheet = placed(ink, width, height, random)
    picture = on_paper(sheet, random)
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j]
    picture *= 1 - random.uniform(0, 0.25) * (x * x + y * y) / 2
    angle, offset = random.uniform(0, 2 * math.pi), random.uniform(-0.7, 0.7)
    across = math.cos(angle) * x + math.sin(angle) * y - offset
    picture *= 1 - random.uniform(0, 0.35) / (1 + np.exp(-across * random.uniform(4, 12)))
    rows = np.flatnonzero(sheet.max(axis=1) == 0)
    if rows.size and random.random() < 0.5:  # a ruled line clear of the ink
        at = random.choice(rows)
        picture[at:at + 2] *= 0.6
    left = np.flatnonzero(sheet.max(axis=0))[0]
    if left > 12 and random.random() < 0.3:
        picture[:, :int(random.integers(3, left - 6))] *= 0.35
    for _ in range(int(random.integers(0, 12))):
        sy, sx = int(random.integers(0, height - 3)), int(random.integers(0, width - 3))
        picture[sy:sy + 2, sx:sx + 2] *= 0.5
    return through_jpeg(Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)), 75)


KINDS = {"upscaled": upscaled, "smooth": smooth, "inverted": inverted, "moved": moved,
         "rotated": rotated, "paper": paper, "jpeg60": jpeg60, "alpha": alpha, "photo": photo,
         "thin": thin, "thick": thick}


def string(images, labels, random):
    """3 to 8 digits of several sizes side by side, at different heights: the picture and its text."""
    chosen = random.integers(0, len(images), int(random.integers(3, 9)))
    scale = int(random.integers(3, 8))
    inks = []
    for i in chosen:
        rows, columns = np.flatnonzero(images[i].max(axis=1)), np.flatnonzero(images[i].max(axis=0))
        ink = Image.fromarray(images[i][rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])
        size = scale * random.uniform(0.8, 1.25)
        inks.append(ink.resize((max(1, round(ink.width * size)), round(ink.height * size)), Image.BICUBIC))
    gaps = [int(scale * random.uniform(2, 10)) for _ in inks]
    height = int(scale * 44)
    sheet = np.zeros((height, sum(ink.width for ink in inks) + sum(gaps) + 10 * scale), np.uint8)
    x = 5 * scale
    for ink, gap in zip(inks, gaps):
        y = min(max(int((height - ink.height) / 2 + scale * random.uniform(-5, 5)), scale),
                height - ink.height - scale)
        sheet[y:y + ink.height, x:x + ink.width] = ink
        x += ink.width + gap
    picture = 255 - sheet if random.random() < 0.5 else on_paper(sheet, random).astype(np.uint8)
    return Image.fromarray(picture), "".join(str(labels[i]) for i in chosen), chosen


# ---- reading them back ----

def predict(args, folder, *options):
    command = [args.program, "predict", "--device", args.device, "--json", *options, str(folder)]
    if args.weights:
        command[2:2] = ["--weights", args.weights]
    result = subprocess.run(command, capture_output=True, text=True)
    if not result.stdout:
        sys.exit(result.stderr)
    return {pathlib.Path(p["image"]).stem: p for p in json.loads(result.stdout)}


def write(folder, count, make):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        make(i).save(folder / f"{i:05}.png", compress_level=1)
    return folder


def run_kinds(args, work, images):
    count = min(args.count, len(images))
    plain = predict(args, write(work / "plain", count, lambda i: Image.fromarray(images[i])))
    for kind in args.kinds or KINDS:
        random = np.random.default_rng(args.seed)
        folder = write(work / kind, count, lambda i: KINDS[kind](images[i], random))
        found = predict(args, folder)
        wrong = [name for name in plain if found[name].get("class") != plain[name]["class"]]
        print(f"{kind:10}  {100 - 100 * len(wrong) / count:6.2f} % of {count} keep their prediction",
              " ".join(wrong[:args.list]), flush=True)


def run_strings(args, work, images, labels):
    random = np.random.default_rng(args.seed)
    texts, parts = [], []

    def make(i):
        picture, text, chosen = string(images, labels, random)
        texts.append(text)
        parts.append(chosen)
        return picture

    found = predict(args, write(work / "strings", args.strings, make), "--multi")
    plain = predict(args, write(work / "all", len(images), lambda i: Image.fromarray(images[i])))
    read = [found[f"{i:05}"].get("text", "") for i in range(args.strings)]
    own = ["".join(str(plain[f"{k:05}"]["class"]) for k in chosen) for chosen in parts]
    total = args.strings
    print(f"strings: {100 * sum(map(str.__eq__, read, texts)) / total:.2f} % of {total} read exactly, "
          f"{100 * sum(map(str.__eq__, own, texts)) / total:.2f} % from the plain images of their digits; "
          f"{100 * sum(len(r) == len(t) for r, t in zip(read, texts)) / total:.2f} % of the right length")
    bad = [f"{i:05}: {t} read as {r}" for i, (r, t) in enumerate(zip(read, texts)) if r != t]
    for line in bad[:args.list]:
        print(" ", line)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default="build/mnist_gpu")
    parser.add_argument("--data", required=True, help="the directory of MNIST's test images")
    parser.add_argument("--weights", help="run or weights file [the latest run]")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--count", type=int, default=2000, help="so many images [2000]")
    parser.add_argument("--first", type=int, default=0, help="from this one on [0]")
    parser.add_argument("--strings", type=int, default=0, metavar="N", help="read N strings of digits instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", type=int, default=0, metavar="N", help="name the first N that changed")
    parser.add_argument("--keep", metavar="DIR", help="leave the pictures there")
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="default: all")
    args = parser.parse_args()

    images = load_idx(args.data, "t10k-images-idx3-ubyte")[args.first:]
    labels = load_idx(args.data, "t10k-labels-idx1-ubyte")[args.first:]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(args.keep or work)
        if args.strings:
            run_strings(args, work, images, labels)
        else:
            run_kinds(args, work, images)


if __name__ == "__main__":
    main()
