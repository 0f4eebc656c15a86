"""What the numbers of few bits mean, written out by their definitions, one number at a time.

Source: the reference code of ggml (MIT); of its codebooks, the tables that gguf ships.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import product

import gguf.quants
import numpy

Bytes = list[int]

CURVE = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
H4 = numpy.array([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]]) / 2


def half(b: Bytes, at: int) -> float:
    return float(struct.unpack("<e", bytes(b[at : at + 2]))[0])


def word(b: Bytes, at: int, size: int) -> int:
    return int.from_bytes(bytes(b[at : at + size]), "little")


def nibble(b: Bytes, at: int, k: int) -> int:
    """Of a block of 32: the low halves of 16 bytes, then the high ones."""
    return b[at + k % 16] >> 4 * (k // 16) & 15


def fifth(b: Bytes, at: int, k: int) -> int:
    return (word(b, at, 4) >> k & 1) << 4


def small_scales(b: Bytes, s: int) -> tuple[int, int]:
    """Scale and minimum of 6 bits, of Q4_K and Q5_K, which stand at 4."""
    q = b[4:16]
    if s < 4:
        return q[s] & 63, q[s + 4] & 63
    return q[s + 4] & 15 | q[s - 4] >> 6 << 4, q[s + 4] >> 4 | q[s] >> 6 << 4


def q2_k(b: Bytes, k: int) -> float:
    n, j, i = k // 128, k % 128 // 32, k % 32
    scale = b[8 * n + 2 * j + i // 16]
    return half(b, 80) * (scale & 15) * (b[16 + 32 * n + i] >> 2 * j & 3) - half(b, 82) * (
        scale >> 4
    )


def q3_k(b: Bytes, k: int) -> float:
    n, j, i = k // 128, k % 128 // 32, k % 32
    s = 8 * n + 2 * j + i // 16
    scale = (b[96 + s % 8] >> 4 * (s // 8) & 15 | (b[104 + s % 4] >> 2 * (s // 4) & 3) << 4) - 32
    value = (b[32 + 32 * n + i] >> 2 * j & 3) - (0 if b[i] >> 4 * n + j & 1 else 4)
    return half(b, 108) * scale * value


def q4_k(b: Bytes, k: int) -> float:
    g, high, i = k // 64, k % 64 // 32, k % 32
    scale, least = small_scales(b, 2 * g + high)
    return half(b, 0) * scale * (b[16 + 32 * g + i] >> 4 * high & 15) - half(b, 2) * least


def q5_k(b: Bytes, k: int) -> float:
    g, high, i = k // 64, k % 64 // 32, k % 32
    scale, least = small_scales(b, 2 * g + high)
    value = (b[48 + 32 * g + i] >> 4 * high & 15) + 16 * (b[16 + i] >> 2 * g + high & 1)
    return half(b, 0) * scale * value - half(b, 2) * least


def q6_k(b: Bytes, k: int) -> float:
    n, r, i = k // 128, k % 128 // 32, k % 32
    low = b[64 * n + i + 32 * (r & 1)] >> 4 * (r >> 1) & 15
    high = b[128 + 32 * n + i] >> 2 * r & 3
    scale = b[192 + 8 * n + i // 16 + 2 * r]
    return half(b, 208) * (scale - 256 * (scale > 127)) * ((low | high << 4) - 32)


def iq4_xs(b: Bytes, k: int) -> float:
    g = k // 32
    scale = b[4 + g // 2] >> 4 * (g % 2) & 15 | (word(b, 2, 2) >> 2 * g & 3) << 4
    return half(b, 0) * (scale - 32) * CURVE[nibble(b, 8 + 16 * g, k % 32)]


def sign(bits: int, j: int) -> int:
    return -1 if bits >> j & 1 else 1


def even_signs(index: int) -> int:
    """Seven signs; the eighth makes the number of minuses even."""
    return index | (index.bit_count() & 1) << 7


def grid(kind: str, index: int, j: int) -> float:
    table = getattr(gguf.quants, kind)
    table.init_grid()
    return float(table.grid.reshape(table.grid_shape)[index, j])


def iq2_xxs(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    signs = word(b, 6 + 8 * g, 4)
    scale = half(b, 0) * (0.5 + (signs >> 28)) / 4
    bits = even_signs(signs >> 7 * e & 127)
    return scale * grid("IQ2_XXS", b[2 + 8 * g + e], j) * sign(bits, j)


def iq2_xs(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    q = word(b, 2 + 2 * (4 * g + e), 2)
    scale = half(b, 0) * (0.5 + (b[66 + g] >> 4 * (e // 2) & 15)) / 4
    return scale * grid("IQ2_XS", q & 511, j) * sign(even_signs(q >> 9), j)


def iq2_s(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    index = b[2 + 4 * g + e] | (b[66 + g] >> 2 * e & 3) << 8
    scale = half(b, 0) * (0.5 + (b[74 + g] >> 4 * (e // 2) & 15)) / 4
    return scale * grid("IQ2_S", index, j) * sign(b[34 + 4 * g + e], j)


def iq3_xxs(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    signs = word(b, 66 + 4 * g, 4)
    scale = half(b, 0) * (0.5 + (signs >> 28)) / 2
    index = b[2 + 8 * g + 2 * e + j // 4]
    return scale * grid("IQ3_XXS", index, j % 4) * sign(even_signs(signs >> 7 * e & 127), j)


def iq3_s(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    place = 2 * e + j // 4
    index = b[2 + 8 * g + place] | (b[66 + g] >> place & 1) << 8
    scale = half(b, 0) * (1 + 2 * (b[106 + g // 2] >> 4 * (g % 2) & 15))
    return scale * grid("IQ3_S", index, j % 4) * sign(b[74 + 4 * g + e], j)


def iq1_s(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    high = word(b, 34 + 2 * g, 2)
    index = b[2 + 4 * g + e] | (high >> 3 * e & 7) << 8
    shift = -0.125 if high & 0x8000 else 0.125
    return half(b, 0) * (2 * (high >> 12 & 7) + 1) * (grid("IQ1_S", index, j) + shift)


def iq1_m(b: Bytes, k: int) -> float:
    g, e, j = k // 32, k % 32 // 8, k % 8
    words = [word(b, 48 + 2 * n, 2) for n in range(4)]
    bits = sum(w >> 12 << 4 * n for n, w in enumerate(words))
    whole = float(struct.unpack("<e", struct.pack("<H", bits))[0])
    scale = whole * (2 * (words[g // 2] >> 6 * (g % 2) + 3 * (e // 2) & 7) + 1)
    high = b[32 + 2 * g + e // 2] >> 4 * (e % 2)
    index = b[4 * g + e] | (high & 7) << 8
    return scale * (grid("IQ1_S", index, j) + (-0.125 if high & 8 else 0.125))


# Kind → number k of a block of bytes.
GGUF: dict[str, Callable[[Bytes, int], float]] = {
    "Q4_0": lambda b, k: half(b, 0) * (nibble(b, 2, k) - 8),
    "Q4_1": lambda b, k: half(b, 0) * nibble(b, 4, k) + half(b, 2),
    "Q5_0": lambda b, k: half(b, 0) * ((nibble(b, 6, k) | fifth(b, 2, k)) - 16),
    "Q5_1": lambda b, k: half(b, 0) * (nibble(b, 8, k) | fifth(b, 4, k)) + half(b, 2),
    "Q8_0": lambda b, k: half(b, 0) * (b[2 + k] - 256 * (b[2 + k] > 127)),
    "Q2_K": q2_k,
    "Q3_K": q3_k,
    "Q4_K": q4_k,
    "Q5_K": q5_k,
    "Q6_K": q6_k,
    "IQ4_NL": lambda b, k: half(b, 0) * CURVE[nibble(b, 2, k)],
    "IQ4_XS": iq4_xs,
    "IQ2_XXS": iq2_xxs,
    "IQ2_XS": iq2_xs,
    "IQ2_S": iq2_s,
    "IQ3_XXS": iq3_xxs,
    "IQ3_S": iq3_s,
    "IQ1_S": iq1_s,
    "IQ1_M": iq1_m,
}


def rotated(values: numpy.ndarray, group: int) -> numpy.ndarray:
    """[n,m,…] times R, the Kronecker power of H₄ of that size, along m, a group at a time."""
    turn = numpy.ones((1, 1))
    while len(turn) < group:
        turn = numpy.kron(turn, H4)
    result = numpy.zeros(values.shape)
    for start in range(0, values.shape[1], group):
        for i, j in product(range(group), repeat=2):
            result[:, start + j] += values[:, start + i] * turn[i, j]
    return result


def scaled(values: numpy.ndarray, scale: numpy.ndarray, block: int = 0) -> numpy.ndarray:
    """Each number times the one that is its own."""
    result = values.astype(numpy.float64)
    for place in numpy.ndindex(*values.shape):
        if block:
            result[place] *= scale[place[0] // block, place[1] // block]
        else:
            result[place] *= scale.reshape(-1)[place[0] if scale.size > 1 else 0]
    return result
