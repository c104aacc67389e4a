"""Finds the files of a study, and tells how a text file is written: encoding, separator, header.

Nothing here looks at what a table means; a message never holds a piece of the text.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from wor_eval.data.findings import Finding

SEPARATORS: Mapping[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SUFFIXES = (".csv", ".csv.gz", ".parquet", ".sav", ".zsav", ".dta", ".xlsx", ".xlsm")
_CHUNK = 1 << 22
_LONGEST_HEADER = 1 << 20
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Unreadable(Exception):  # noqa: N818  (it never leaves data/: it becomes a Finding)
    """A file that cannot be read as a table: the rule it breaks, how often, and the remedy."""

    def __init__(self, rule: str, remedy: str, *, rows: int = 0) -> None:
        super().__init__(rule)
        self.rule = rule
        self.remedy = remedy
        self.rows = rows

    def finding(self, table: str) -> Finding:
        """Return it as a finding about a table."""
        return Finding(table=table, column="", rule=self.rule, rows=self.rows, remedy=self.remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvFile:
    """A text file that can be read as a table.

    Parameters
    ----------
    path : pathlib.Path
        A UTF-8 file with one kind of line end: the file itself, or a copy of it.
    separator : str
        Sign between two cells.
    header : tuple of str
        Names of the columns, in order; a column without a name has an empty one.
    encoding : str
        Encoding of the file as it was delivered.
    """

    path: Path
    separator: str
    header: tuple[str, ...]
    encoding: str


def table_files(folder: Path, names: Iterable[str]) -> tuple[dict[str, tuple[Path, ...]], tuple[str, ...]]:
    """Find the files of each table.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the study.
    names : iterable of str
        Names of the tables.

    Returns
    -------
    found : dict of str to tuple of pathlib.Path
        Per table its file, the parts of its Parquet folder, or every candidate if there are several.
    others : tuple of str
        Names of files that look like a table but belong to none.
    """
    entries = sorted(folder.iterdir())
    found: dict[str, tuple[Path, ...]] = {}
    for name in names:
        paths = [p for p in entries if p.is_file() and p.name.lower() in {name + s for s in SUFFIXES}]
        parts = [p for e in entries if e.is_dir() and e.name == name for p in _parts(e)]
        if paths or parts:
            found[name] = (*paths, *parts)
    used = {path for paths in found.values() for path in paths}
    others = (p.name for p in entries if p.is_file() and p not in used and p.name.lower().endswith(SUFFIXES))
    return found, tuple(others)


def _parts(folder: Path) -> Iterator[Path]:
    """Yield the Parquet files of a folder, and of folders in it that are named ``column=value``."""
    for path in sorted(folder.rglob("*.parquet")):
        if all("=" in part for part in path.relative_to(folder).parts[:-1]):
            yield path


def digest_files(files: Iterable[Path], *, root: Path | None = None) -> str:
    """Return the SHA-256 over the names and bytes of files, whatever the order they are given in.

    Parameters
    ----------
    files : iterable of pathlib.Path
        The files.
    root : pathlib.Path, optional
        Folder to which names are relative; a file that is not in it goes by its own name.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    total = hashlib.sha256()
    for path in sorted(set(files)):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        inside = root is not None and path.is_relative_to(root)
        name = path.relative_to(root).as_posix() if inside and root else path.name
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


def open_csv(path: Path, *, known: Iterable[str], scratch: Path) -> CsvFile:
    """Find out how a text file is written, and make a UTF-8 copy of it where that is needed.

    Parameters
    ----------
    path : pathlib.Path
        A ``.csv`` or ``.csv.gz`` file.
    known : iterable of str
        Names of columns that the header may be expected to hold.
    scratch : pathlib.Path
        Folder for the copy.

    Returns
    -------
    CsvFile
        Where to read, and how.

    Raises
    ------
    Unreadable
        If it is empty, damaged, not text, in no supported encoding, or has no usable header.
    """
    try:
        encoding, one_line_end = _encoding(path)
        readable = path
        if encoding not in ("UTF-8", "UTF-8 with BOM") or not one_line_end:
            readable = _copy_as_utf8(path, encoding, scratch)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(
            f"the gzip file is damaged or cut off ({type(error).__name__})", "deliver the file again"
        ) from None
    separator, header = _header(readable, frozenset(known))
    return CsvFile(path=readable, separator=separator, header=header, encoding=encoding)


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    """Open a file, decompressed if its name says it is compressed."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")
    return path.open("rb")


def _chunks(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _encoding(path: Path) -> tuple[str, bool]:
    """Return the encoding of a file, and whether all its lines end the same way."""
    with _open(path) as file:
        head = file.read(4)
    if not head.strip():
        raise Unreadable("the file is empty", "deliver the table with its header, or leave the file out")
    if head.startswith(_UTF16):
        return "UTF-16", False
    bom = head.startswith(codecs.BOM_UTF8)
    decoder = codecs.getincrementaldecoder("utf-8")()
    ends, last, utf8 = [0, 0, 0], b"", True
    for chunk in _chunks(path):
        _refuse_control(chunk)
        ends = [n + chunk.count(end) for n, end in zip(ends, (b"\n", b"\r", b"\r\n"), strict=True)]
        ends[2] += last == b"\r" and chunk.startswith(b"\n")
        last = chunk[-1:]
        utf8 = utf8 and _decodes(decoder, chunk)
    utf8 = utf8 and _decodes(decoder, b"", final=True)
    lines, returns, both = ends
    one_line_end = (lines == returns == both) or lines == 0 or returns == 0
    if utf8:
        return ("UTF-8 with BOM" if bom else "UTF-8"), one_line_end
    return "cp1252", one_line_end


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _copy_as_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """Write a UTF-8 copy with plain line ends, a piece at a time, and return its path."""
    codec = {"UTF-16": "utf-16", "cp1252": "cp1252"}.get(encoding, "utf-8-sig")
    decoder = codecs.getincrementaldecoder(codec)()
    copy = scratch / f"{path.name}.utf8.csv"
    held, tail = b"", b""
    with copy.open("wb") as file:
        for chunk in chain(_chunks(path), (b"",)):
            if encoding == "cp1252":
                _refuse_mixture(tail + chunk)
                tail = chunk[-3:]
            text = held + _decode(decoder, chunk, encoding).encode()
            held = b"\r" if chunk and text.endswith(b"\r") else b""
            text = text.removesuffix(held)
            _refuse_control(text)
            file.write(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    return copy


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, encoding: str) -> str:
    try:
        return decoder.decode(chunk, not chunk)
    except UnicodeDecodeError:
        raise Unreadable(
            f"the bytes fit no supported encoding (tried UTF-8 and {encoding})",
            "save the table as CSV, UTF-8",
        ) from None


def _refuse_control(text: bytes) -> None:
    if len(text.translate(None, _CONTROL)) != len(text):
        raise Unreadable("not a text file: it holds control characters", "save the table as CSV, UTF-8")


def _refuse_mixture(chunk: bytes) -> None:
    """Refuse Western European text in which letters of UTF-8 occur: one of the two would come out wrong."""
    if _UTF8_LETTER.search(chunk):
        raise Unreadable(
            "the file mixes two encodings (UTF-8 and cp1252)", "save the whole table as CSV, UTF-8"
        )


def _header(path: Path, known: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return the separator and the header of a UTF-8 file."""
    with _open(path) as file:
        line = file.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    line = line.split("\r", 1)[0].rstrip("\n")
    options = {separator: _split(line, separator) for separator in SEPARATORS}
    separator = max(options, key=lambda s: (len(known & set(options[s])), len(options[s])))
    header = options[separator]
    if len(header) < 2:
        raise Unreadable(
            f"the first line is not a header separated by {', '.join(SEPARATORS.values())}",
            "start the file with one line of column names, with one of these separators between them",
        )
    _refuse_duplicates(header)
    return separator, header


def _split(line: str, separator: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return ()
    return tuple(cell.strip() for cell in cells)


def _refuse_duplicates(header: tuple[str, ...]) -> None:
    """Refuse a header in which a name occurs twice; only positions are told, the line may be a person's."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(header, start=1):
        if name:
            places.setdefault(name, []).append(place)
    twice = [" and ".join(map(str, at)) for at in places.values() if len(at) > 1]
    if twice:
        raise Unreadable(
            f"the header has the same name twice (columns {'; '.join(twice)})",
            "give every column its own name",
        )
