"""The page that says how far the intervals of an economic evaluation can be trusted; each benchmark writes its part."""

from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "economics_recovery.md"


def write_part(page: Path, name: str, text: str) -> None:
    """Put text between the marks of a part of the page; the rest of the page stays as it is."""
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    whole = page.read_text(encoding="utf-8")
    before, after = whole.split(begin)[0], whole.split(end)[1]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
