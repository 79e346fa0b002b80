"""The random number generator once more: Python integers, one element after another."""

import numpy as np

_WORD = 1 << 32


def word(seed: int, draw: int, place: int) -> int:
    """The 32 bits of element `place` of a draw."""
    keys = (seed, draw, seed ^ draw ^ 0x1BD11BDA)
    x, y = (place + keys[0]) % _WORD, keys[1]
    for number in range(20):
        rotation = (13, 15, 26, 6, 17, 29, 16, 24)[number % 8]
        x = (x + y) % _WORD
        y = ((y << rotation) % _WORD | y >> (32 - rotation)) ^ x
        if number % 4 == 3:
            added = number // 4 + 1
            x = (x + keys[added % 3]) % _WORD
            y = (y + keys[(added + 1) % 3] + added) % _WORD
    return x


def uniform(seed: int, draw: int, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of a draw, float32."""
    count = int(np.prod(shape))
    return np.array([(word(seed, draw, k) >> 8) * 2.0**-24 for k in range(count)], np.float32).reshape(shape)


def lane(state: list[int], count: int) -> tuple[list[int], list[int]]:
    """The words of one draw of a lane, and its state afterwards."""
    key = (0, 0)
    for a, b in zip(state[::2], state[1::2]):
        key = both(key, (a, b))
    words = [both(key, (k, 0))[0] for k in range(count)]
    return words, [*state[:-1], (state[-1] + 0x9E3779B9) % _WORD]


def both(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """The block function."""
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = (counter[0] + keys[0]) % _WORD, (counter[1] + keys[1]) % _WORD
    for number in range(20):
        rotation = (13, 15, 26, 6, 17, 29, 16, 24)[number % 8]
        x = (x + y) % _WORD
        y = ((y << rotation) % _WORD | y >> (32 - rotation)) ^ x
        if number % 4 == 3:
            added = number // 4 + 1
            x = (x + keys[added % 3]) % _WORD
            y = (y + keys[(added + 1) % 3] + added) % _WORD
    return x, y
