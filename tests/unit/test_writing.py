"""Text of a cell: what is trimmed, and which cells may be numerals."""

from __future__ import annotations

import ibis
import pytest

from wor_eval.data.writing import as_text, numeral

BLANKS = (" ", "  ", "\t", "\n", "\u00a0", "\u2003", "\u3000", "\u200b")
BODIES = ("", "a", "0", "a b", "é", "日本", "~", "!", "\u00a0x", "ﬁ", "\U0001f600", "e\u0301")
CELLS = [left + body + right for left in ("", *BLANKS) for right in ("", *BLANKS) for body in BODIES]


def test_text_is_trimmed_as_the_engine_trims_whatever_it_is_made_of() -> None:
    con = ibis.duckdb.connect()
    cells = con.create_table("cells", ibis.memtable({"row": range(len(CELLS)), "cell": CELLS}))
    ours = con.execute(cells.select("row", text=as_text(cells.cell)).order_by("row"))["text"].fillna(
        "(empty)"
    )
    plain = con.raw_sql(
        "SELECT coalesce(nullif(trim(cell), ''), '(empty)') FROM cells ORDER BY row"
    ).fetchall()
    assert ours.tolist() == [text for (text,) in plain]


@pytest.mark.parametrize(
    ("cell", "kept"), [("123.0", True), ("+5", True), ("-1E+5", True), (".5", True), ("p1", False)]
)
def test_text_that_starts_with_a_letter_is_no_numeral(cell: str, kept: bool) -> None:
    con = ibis.duckdb.connect()
    table = con.create_table("cells", ibis.memtable({"cell": [cell]}))
    assert (con.execute(numeral(table.cell))[0] == cell) is kept
