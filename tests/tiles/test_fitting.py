"""Which shapes regroup: against what joining neighbours can give."""

import itertools

from jnki.tiles.fitting import regroups


def joined(shape):
    """All shapes that joining neighbours, and dropping or adding axes of size 1, makes of `shape`."""
    shape = tuple(n for n in shape if n != 1)
    found = {shape}
    for axis in range(len(shape) - 1):
        found |= joined((*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))
    return found


def test_one_shape_is_the_other_with_neighbours_joined():
    shapes = [s for rank in (0, 1, 2, 3) for s in itertools.product((1, 2, 3, 4, 6), repeat=rank)]
    for one, other in itertools.product(shapes, shapes):
        a, b = (tuple(n for n in s if n != 1) for s in (one, other))
        assert regroups(one, other) == (a in joined(other) or b in joined(one)), (one, other)


def test_the_examples_of_the_messages():
    assert regroups((4, 8), (32,)) and regroups((), (1, 1)) and regroups((2, 3, 4), (2, 12))
    assert not regroups((4, 8), (8, 4)) and not regroups((2, 12), (6, 4)) and not regroups((4,), (5,))
