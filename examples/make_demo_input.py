#!/usr/bin/env python3
"""Draw the demo's eight pictures by formula: `python make_demo_input.py [OUT.npz]` (default: demo_input.npz here).

Sky and ground, sea and ship, a road and a car … as flat shapes with a little shading: nothing is taken from any data
set, and every pixel is computed in integers, so the file's images are the same everywhere. They go as `images`, uint8
(8, 32, 32, 3).
"""

import sys
from pathlib import Path

import numpy as np

SIDE = 32
Y, X = np.mgrid[0:SIDE, 0:SIDE]
Colour = tuple[int, int, int]


def ground(top: Colour, bottom: Colour, horizon: int) -> np.ndarray:
    """A background uint8 (32, 32, 3): `top` grows lighter down to the horizon, `bottom` darker below it."""
    picture = np.empty((SIDE, SIDE, 3), np.int64)
    for c in range(3):
        picture[:, :, c] = np.where(horizon > Y, top[c] + 2 * Y, bottom[c] - 2 * (Y - horizon))
    texture = (X * 7 + Y * 13 + (X * Y) % 11) % 9 - 4
    return np.clip(picture + texture[:, :, None], 0, 255).astype(np.uint8)


def paint(picture: np.ndarray, where: np.ndarray, colour: Colour) -> np.ndarray:
    """`picture` with `colour` where the bool map (32, 32) holds, lit from the upper left."""
    light = np.clip(np.array(colour)[None, None] + (20 - X - Y)[:, :, None] // 2, 0, 255).astype(np.uint8)
    return np.where(where[:, :, None], light, picture)


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    return (left <= X) & (right >= X) & (top <= Y) & (bottom >= Y)


def disc(x: int, y: int, rx: int, ry: int) -> np.ndarray:
    return ((X - x) * ry) ** 2 + ((Y - y) * rx) ** 2 <= (rx * ry) ** 2


def wedge(x: int, top: int, bottom: int, slope: int) -> np.ndarray:
    """A triangle, tip at (x, top), `slope` quarters of a pixel wider on each side per row."""
    return (top <= Y) & (bottom >= Y) & (4 * abs(X - x) <= slope * (Y - top))


def plane() -> np.ndarray:
    p = ground((90, 140, 220), (150, 190, 235), 40)
    p = paint(p, disc(16, 16, 13, 3), (225, 225, 230))
    p = paint(p, (abs(X - 15) <= 2 + abs(Y - 16) // 6) & (abs(Y - 16) <= 9), (200, 200, 210))
    return paint(p, box(26, 10, 28, 16), (190, 60, 60))


def car() -> np.ndarray:
    p = ground((170, 190, 210), (110, 110, 115), 18)
    p = paint(p, box(4, 15, 27, 22), (200, 30, 35))
    p = paint(p, wedge(16, 6, 15, 5), (200, 30, 35))
    p = paint(p, box(12, 11, 19, 14), (150, 200, 225))
    return paint(paint(p, disc(9, 23, 4, 4), (25, 25, 28)), disc(23, 23, 4, 4), (25, 25, 28))


def ship() -> np.ndarray:
    p = ground((150, 190, 230), (30, 80, 140), 20)
    p = paint(p, (Y >= 18) & (Y <= 24) & (X >= 2 + (Y - 18)) & (X <= 29 - (Y - 18)), (120, 40, 40))
    p = paint(p, box(9, 12, 21, 17), (235, 235, 230))
    return paint(p, box(14, 6, 17, 11), (60, 60, 70))


def truck() -> np.ndarray:
    p = ground((200, 205, 210), (125, 120, 110), 22)
    p = paint(p, box(2, 7, 20, 22), (235, 190, 60))
    p = paint(p, box(21, 12, 29, 22), (60, 90, 170))
    p = paint(p, box(24, 13, 28, 16), (180, 215, 230))
    for x in (7, 15, 25):
        p = paint(p, disc(x, 24, 3, 3), (20, 20, 22))
    return p


def horse() -> np.ndarray:
    p = ground((160, 200, 235), (90, 150, 60), 19)
    p = paint(p, disc(15, 16, 9, 4), (120, 70, 35))
    for x in (8, 11, 20, 23):
        p = paint(p, box(x, 18, x + 1, 28), (110, 62, 30))
    p = paint(p, box(22, 7, 25, 16), (120, 70, 35))
    return paint(p, disc(26, 8, 4, 2), (115, 66, 32))


def frog() -> np.ndarray:
    p = ground((120, 100, 70), (100, 85, 55), 16)
    p = paint(p, disc(16, 20, 11, 8), (60, 140, 50))
    for x in (11, 21):
        p = paint(paint(p, disc(x, 11, 3, 3), (70, 155, 60)), disc(x, 11, 1, 1), (10, 15, 10))
    return p


def bird() -> np.ndarray:
    p = ground((140, 180, 220), (70, 120, 60), 27)
    p = paint(p, disc(15, 17, 8, 5), (170, 60, 50))
    p = paint(p, disc(23, 11, 4, 4), (180, 70, 55))
    p = paint(p, (abs(Y - 11) * 2 <= 30 - X) & (X >= 26), (230, 170, 40))
    return paint(p, box(14, 22, 15, 27), (90, 70, 40))


def cat() -> np.ndarray:
    p = ground((185, 170, 150), (140, 110, 90), 24)
    for x in (9, 23):
        p = paint(p, wedge(x, 4, 12, 3), (95, 90, 90))
    p = paint(p, disc(16, 17, 11, 9), (110, 105, 105))
    for x in (11, 21):
        p = paint(paint(p, disc(x, 15, 2, 2), (210, 220, 90)), box(x, 14, x, 16), (10, 10, 10))
    return paint(p, disc(16, 20, 2, 1), (215, 130, 130))


def pictures() -> np.ndarray:
    """uint8 (8, 32, 32, 3)."""
    return np.stack([draw() for draw in (plane, car, ship, truck, horse, frog, bird, cat)])


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("demo_input.npz")
    np.savez_compressed(out, images=pictures())
