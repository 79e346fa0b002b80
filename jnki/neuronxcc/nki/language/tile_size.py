"""`nl.tile_size`: the target's limits on tiles."""

from jnki.default_target import default_target
from jnki.tiles.tile_limits import TileLimits

tile_size = TileLimits(default_target)
