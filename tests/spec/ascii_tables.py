"""Tiny tables drawn in text: the data of a test as its reader sees them."""

import pandas as pd


def draw(text: str) -> pd.DataFrame:
    """Read a table drawn with bars: a header line, then rows; an empty cell is missing."""
    lines = [line.strip() for line in text.strip().splitlines()]
    rows = [[cell.strip() or None for cell in line.split("|")] for line in lines]
    return pd.DataFrame(rows[1:], columns=rows[0])
