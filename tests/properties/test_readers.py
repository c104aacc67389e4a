"""Whatever is in a file, reading gives the right table or a DataError, and never another error."""

from __future__ import annotations

import gzip
import io
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.raw_study import only
from wor_eval.data.read import StudyData, read_data, study_data
from wor_eval.errors import DataError

quick = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

HEADER = b"municipality_code,name,wmo_delivered\n"
SEPARATORS = st.sampled_from([",", ";", "\t", "|"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
# Letters whose cp1252 bytes never look like UTF-8 when they stand side by side.
LETTERS = "abcdëïöüéèáóúÉÖ' -"
IDS = st.lists(st.text("0123456789", min_size=1, max_size=7), min_size=2, max_size=12, unique=True)


def read_bytes(content: bytes, name: str) -> StudyData:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        return read_data(folder, dictionary=only(name.split(".", 1)[0]))


def rows(data: StudyData) -> list[dict[str, Any]]:
    (table,) = data.tables.values()
    found: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return found


def right_or_refused(content: bytes, name: str) -> list[dict[str, Any]] | None:
    """Return the rows, or None if the file was refused; any other error fails the test."""
    try:
        return rows(read_bytes(content, name))
    except DataError as error:
        assert error.problems
        return None


def csv_text(frame: pd.DataFrame, separator: str = ",") -> str:
    text: str = frame.to_csv(index=False, sep=separator, lineterminator="\n")
    return text


def municipalities(names: list[str]) -> pd.DataFrame:
    codes = [f"{place:04d}" for place in range(len(names))]
    return pd.DataFrame({"municipality_code": codes, "name": names, "wmo_delivered": "true"})


@quick
@given(
    content=st.binary(max_size=300),
    start=st.sampled_from(
        [b"", HEADER, HEADER + b"0001,Almere,true\n", b"\xff\xfe", b"\xef\xbb\xbf", b"PAR1"]
    ),
    kind=st.sampled_from(["csv", "csv.gz", "gz of csv", "parquet"]),
)
@example(content=b'"', start=HEADER, kind="csv")
@example(content=b'0001,"a""b\n",true\n"', start=HEADER, kind="csv")
@example(content=b"\r\n\r", start=HEADER, kind="csv")
@example(content=b"", start=b"\xff\xfe", kind="csv")
def test_random_bytes(content: bytes, start: bytes, kind: str) -> None:
    written = gzip.compress(start + content) if kind == "gz of csv" else start + content
    name = "municipalities.csv.gz" if kind == "gz of csv" else f"municipalities.{kind}"
    found = right_or_refused(written, name)
    for row in found or []:
        assert row["municipality_code"]
        assert row["name"]
        assert row["wmo_delivered"] in (True, False)


@quick
@given(
    lines=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), max_size=6),
    encoding=ENCODINGS,
)
@example(lines=["0001,a\x85b,true"], encoding="utf-8")
@example(lines=["0001,\u2028,1", "0002,\xa0,0"], encoding="utf-8")
def test_random_text(lines: list[str], encoding: str) -> None:
    content = (HEADER.decode() + "\n".join(lines)).encode(encoding, errors="replace")
    right_or_refused(content, "municipalities.csv")


@quick
@given(
    names=st.lists(st.text(LETTERS, min_size=1, max_size=12), min_size=1, max_size=8),
    separator=SEPARATORS,
    encoding=ENCODINGS,
    share=st.floats(0, 1),
    kind=st.sampled_from(["csv", "csv.gz", "parquet"]),
)
def test_a_file_that_was_cut_off(
    *, names: list[str], separator: str, encoding: str, share: float, kind: str
) -> None:
    assume(all(name.strip() for name in names))
    frame = municipalities(names)
    content = csv_text(frame, separator).encode(encoding)
    if kind == "csv.gz":
        content = gzip.compress(content)
    if kind == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        content = buffer.getvalue()
    kept = int(share * len(content))
    found = right_or_refused(content[:kept], f"municipalities.{kind}")
    if found is not None:
        codes = list(frame["municipality_code"])
        assert [row["municipality_code"] for row in found] == codes[: len(found)]
        whole = [name.strip() for name in names][: len(found) - 1]
        assert [row["name"] for row in found][: len(found) - 1] == whole
    if kind != "csv" and kept < len(content):
        assert found is None


@quick
@given(
    names=st.lists(st.text(LETTERS, min_size=1, max_size=12), min_size=1, max_size=8),
    encodings=st.lists(st.sampled_from(["utf-8", "cp1252"]), min_size=8, max_size=8),
)
@example(names=["é", "é"], encodings=["utf-8", "cp1252"] * 4)
def test_mixed_encodings(names: list[str], encodings: list[str]) -> None:
    assume(all(name.strip() for name in names))
    lines = csv_text(municipalities(names)).split("\n")[1:-1]
    content = HEADER + b"".join(
        line.encode(codec) + b"\n" for line, codec in zip(lines, encodings, strict=False)
    )
    found = right_or_refused(content, "municipalities.csv")
    used = {codec for name, codec in zip(names, encodings, strict=False) if not name.isascii()}
    assert (found is None) == (len(used) == 2)
    if found is not None:
        assert [row["name"] for row in found] == [name.strip() for name in names]


@quick
@given(ids=IDS, separator=SEPARATORS, encoding=ENCODINGS)
@example(ids=["1", "01", "001", "0", "00"], separator=",", encoding="utf-8")
def test_ids_keep_their_leading_zeros(ids: list[str], separator: str, encoding: str) -> None:
    frame = pd.DataFrame({"practice_id": ids, "municipality_code": ids[::-1], "wor_from": ""})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    for data in (
        read_bytes(csv_text(frame, separator).encode(encoding), "practices.csv"),
        read_bytes(buffer.getvalue(), "practices.parquet"),
        study_data({"practices": frame}, dictionary=only("practices")),
    ):
        assert [row["practice_id"] for row in rows(data)] == ids
        assert [row["municipality_code"] for row in rows(data)] == ids[::-1]


@quick
@given(
    days=st.lists(st.dates(date(1950, 1, 1), date(2024, 12, 31)), min_size=1, max_size=10),
    written=st.sampled_from(["%Y-%m-%d", "%d-%m-%Y", "%Y%m%d", "%Y-%m-%d 00:00:00", "%d/%m/%Y", "%m/%d/%Y"]),
)
def test_dates_come_back_or_are_refused(days: list[date], written: str) -> None:
    frame = pd.DataFrame(
        {"practice_id": [f"p{place}" for place in range(len(days))], "municipality_code": "1"}
    )
    frame["wor_from"] = [day.strftime(written) for day in days]
    found = right_or_refused(csv_text(frame).encode(), "practices.csv")
    unclear = "/" in written and all(day.day <= 12 for day in days)
    assert (found is None) == unclear
    if found is not None:
        assert [row["wor_from"] for row in found] == days


@quick
@given(
    cents=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=10),
    sign=st.sampled_from([".", ","]),
    digits=st.sampled_from([0, 1, 2, 3]),
)
def test_amounts_come_back_or_are_refused(cents: list[int], sign: str, digits: int) -> None:
    texts = [f"{value / 100:.{digits}f}" for value in cents]
    frame = pd.DataFrame(
        {"person_id": "a", "from_on": "2020-01-01", "category": "gp", "payer": "zvw"}, index=texts
    )
    frame["price_year"], frame["amount"] = 2020, [text.replace(".", sign) for text in texts]
    found = right_or_refused(csv_text(frame, ";").encode(), "costs.csv")
    if found is None:
        assert digits == 3, "only three digits after the sign may be thousands"
        assert all(1 <= abs(float(text)) < 1000 for text in texts)
    else:
        assert [row["amount"] for row in found] == [float(text) for text in texts]


@pytest.mark.parametrize("kind", ["int64", "Int64", "float64", "object", "string"])
def test_the_same_numbers_give_the_same_digest(kind: str) -> None:
    frame = pd.DataFrame({"practice_id": ["a", "b"], "municipality_code": ["1", "2"]})
    digest = study_data({"practices": frame}, dictionary=only("practices")).digest
    kept = frame.astype({"practice_id": "category"})
    assert study_data({"practices": kept}, dictionary=only("practices")).digest == digest
    costs = pd.DataFrame(
        {"person_id": "a", "from_on": "2020-01-01", "category": "gp", "payer": "zvw"}, index=[0]
    )
    plain = costs.assign(amount=1.5, price_year=2020)
    other = plain.assign(price_year=plain["price_year"].astype(kind))  # type: ignore[call-overload]
    digests = {study_data({"costs": f}, dictionary=only("costs")).digest for f in (plain, other)}
    assert len(digests) == 1
