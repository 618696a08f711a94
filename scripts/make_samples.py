#!/usr/bin/env python3
"""Draws data/samples/digit-*.png, pictures to try `mnist_gpu predict` on.

Each is a digit as a person might draw it: curves through a few points with a round pen, on another
kind of paper every time. Needs nothing but Python's standard library; the same pictures come
out every time."""

import math
import pathlib
import struct
import zlib

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "samples"

# A digit is a list of strokes; a stroke is a list of points (x, y) in 0..1, y downwards, that a
# smooth curve passes through. A point given twice in a row makes a corner.
DIGITS = {
    0: [[(0.55, 0.02), (0.22, 0.25), (0.18, 0.65), (0.45, 0.98), (0.78, 0.72), (0.80, 0.30),
         (0.52, 0.02)]],
    2: [[(0.18, 0.24), (0.42, 0.03), (0.74, 0.18), (0.66, 0.48), (0.38, 0.76), (0.14, 0.95),
         (0.14, 0.95), (0.50, 0.93), (0.86, 0.97)]],
    3: [[(0.22, 0.12), (0.52, 0.02), (0.74, 0.20), (0.58, 0.42), (0.42, 0.47), (0.42, 0.47),
         (0.70, 0.56), (0.76, 0.80), (0.50, 0.98), (0.20, 0.87)]],
    4: [[(0.30, 0.04), (0.20, 0.34), (0.18, 0.55), (0.18, 0.55), (0.48, 0.55), (0.82, 0.49)],
        [(0.70, 0.08), (0.65, 0.50), (0.62, 0.97)]],
    5: [[(0.78, 0.05), (0.54, 0.06), (0.30, 0.07), (0.30, 0.07), (0.28, 0.25), (0.24, 0.45),
         (0.24, 0.45), (0.52, 0.38), (0.76, 0.58), (0.66, 0.88), (0.40, 0.98), (0.18, 0.88)]],
    7: [[(0.16, 0.10), (0.48, 0.08), (0.80, 0.06), (0.80, 0.06), (0.60, 0.48), (0.42, 0.97)]],
}


def curve(points, steps=24):
    """Points along the Catmull-Rom spline through `points`."""
    ends = [points[0]] + points + [points[-1]]
    line = []
    for p0, p1, p2, p3 in zip(ends, ends[1:], ends[2:], ends[3:]):
        if p1 == p2:
            continue
        # A doubled point is a corner: no slope is carried across it.
        m1 = (0, 0) if p0 == p1 else ((p2[0] - p0[0]) / 2, (p2[1] - p0[1]) / 2)
        m2 = (0, 0) if p2 == p3 else ((p3[0] - p1[0]) / 2, (p3[1] - p1[1]) / 2)
        for i in range(steps):
            t = i / steps
            a, b = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t
            c, d = -2 * t**3 + 3 * t**2, t**3 - t**2
            line.append(tuple(a * p1[k] + b * m1[k] + c * p2[k] + d * m2[k] for k in (0, 1)))
    return line + [points[-1]]


def distance(x, y, a, b):
    """From the point (x, y) to the segment a-b."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    t = 0 if length == 0 else max(0, min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / length))
    return math.hypot(x - a[0] - t * dx, y - a[1] - t * dy)


def draw(digit, width, height, box, pen):
    """Coverage 0..1 of every pixel; box: left, top, width, height of the digit in pixels; pen: the
    stroke's width."""
    left, top, box_width, box_height = box
    ink = [[0.0] * width for _ in range(height)]
    for stroke in DIGITS[digit]:
        line = [(left + x * box_width, top + y * box_height) for x, y in curve(stroke)]
        for a, b in zip(line, line[1:]):
            reach = pen / 2 + 1
            for y in range(max(0, int(min(a[1], b[1]) - reach)),
                           min(height, int(max(a[1], b[1]) + reach) + 1)):
                for x in range(max(0, int(min(a[0], b[0]) - reach)),
                               min(width, int(max(a[0], b[0]) + reach) + 1)):
                    cover = pen / 2 + 0.5 - distance(x + 0.5, y + 0.5, a, b)
                    ink[y][x] = max(ink[y][x], min(1.0, cover))
    return ink


def write_png(name, ink, pixel):
    """pixel(coverage) -> the channels of a pixel, as many as PNG's grey, grey + alpha, RGB, RGBA
    have."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))

    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[len(pixel(0.0))]
    rows = b"".join(b"\0" + bytes(c for v in row for c in pixel(v)) for row in ink)
    header = struct.pack(">IIBBBBB", len(ink[0]), len(ink), 8, colour_type, 0, 0, 0)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                             + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def blend(paper, ink):
    """A pen of the colour `ink` on paper of the colour `paper`."""
    return lambda v: tuple(round(p + (i - p) * v) for p, i in zip(paper, ink))


def main():
    # Black ink on white, grey.
    write_png("digit-3.png", draw(3, 160, 160, (35, 20, 90, 120), 11), blend((255,), (0,)))
    # Chalk on a blackboard, near a corner.
    write_png("digit-7.png", draw(7, 200, 150, (115, 15, 70, 100), 9),
              blend((28, 42, 36), (236, 238, 230)))
    # A blue pen on yellow paper.
    write_png("digit-5.png", draw(5, 140, 180, (30, 30, 80, 115), 10),
              blend((250, 240, 196), (24, 40, 130)))
    # A pencil: little contrast.
    write_png("digit-4.png", draw(4, 120, 120, (20, 15, 75, 90), 7), blend((214,), (120,)))
    # White ink on a transparent sheet: all of the drawing is in the alpha channel.
    write_png("digit-2.png", draw(2, 150, 150, (30, 25, 90, 100), 10),
              lambda v: (255, 255, 255, round(255 * v)))
    # A black marker on white, transparent outside the strokes.
    write_png("digit-0.png", draw(0, 110, 140, (12, 15, 86, 110), 14),
              lambda v: (0, round(255 * v)))


if __name__ == "__main__":
    main()
