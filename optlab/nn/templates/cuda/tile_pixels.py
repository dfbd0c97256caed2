"""Where a pixel of a tile lies in the input, with a border of zeros around it and, for a stride of two passed back, zeros between."""

# ruff: noqa: F821


# --- template ---
def NAME_pixel(pixel, image, top, images):
    """Of a pixel of the tile: which image, row and column; whether the input has it, and where it has its channel 0."""
    which, place = divided(pixel, NAME_TILE_ROWS * NAME_PITCH)
    row, column = divided(place, NAME_PITCH)
    y, x = row + top, column - 1
    inside = (y >= 0) & (y < NAME_SPREAD * NAME_SIDE) & (x >= 0) & (x < NAME_SPREAD * NAME_SIDE) & (which + image < images)
    if NAME_SPREAD == 2:
        inside = inside & ((y & 1) == 0) & ((x & 1) == 0)
        y, x = y >> 1, x >> 1
    return which, row, column, inside, (((which + image) * NAME_SIDE + y) * NAME_SIDE + x) * NAME_DEPTH
