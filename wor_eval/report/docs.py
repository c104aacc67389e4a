"""The teaching site: pages of a folder run and rendered, Markdown pages beside them, and the functions of each stage."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

from wor_eval.data.simulate import Scenario
from wor_eval.errors import ReportError
from wor_eval.report.pandoc import read_settings, to_html
from wor_eval.report.render import publish_page
from wor_eval.report.site import Job, carry_out
from wor_eval.report.teaching import study_folder
from wor_eval.whole import whole_folder

STAGES: Final = ("data", "cohort", "design", "effects", "economics", "report")
SCENARIOS: Final[tuple[Scenario, ...]] = ("null-peak", "null-level", "effect")
_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_NAVIGATION: Final = "_nav.qmd"


def render_docs(
    source: Path,
    out: Path,
    *,
    only: Sequence[str] | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Path:
    """Make the teaching site, whole or not at all.

    Parameters
    ----------
    source : Path
        Folder with the pages: ``.qmd`` are run, ``.md`` are converted; ``index.qmd`` is the first.
    out : Path
        Folder for the site; an earlier one is replaced.
    only : sequence of str, optional
        Names of the ``.qmd`` pages to make, without the rest of the site.
    progress : callable
        Told each page as it starts.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    ReportError
        There is no such folder, or the code of a page fails.
    """
    pages = sorted(path for path in source.glob("*.qmd") if not path.name.startswith("_"))
    if not pages:
        raise ReportError(f"there are no pages in {source}")
    pages = [page for page in pages if only is None or page.stem in only]
    earlier = (out / "index.html").is_file()
    with whole_folder(out, replace=earlier) as place, TemporaryDirectory(prefix="wor_eval-") as scratch:
        studies = Path(scratch)
        for scenario in SCENARIOS:
            study_folder(scenario, place=studies)
        jobs = [
            Job(qmd=page, results=studies, lang="en", outputs=(place / f"{page.stem}.html",))
            for page in pages
        ]
        carry_out(jobs, progress)
        if only is None:
            _write_plain_pages(source, place)
    return out / "index.html"


def _write_plain_pages(source: Path, place: Path) -> None:
    """Convert the Markdown pages, and write the functions of each stage."""
    for path in sorted(source.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        title, _, body = text.partition("\n")
        _page(_links(body, source), title.lstrip("# "), place / f"{path.stem}.html", source)
    for stage in STAGES:
        _page(api_page(stage), f"Functions: {stage}", place / f"api_{stage}.html", source)


def _links(text: str, source: Path) -> str:
    """Point at the pages of the site; what is not on it stays as plain text."""

    def pointed(match: re.Match[str]) -> str:
        words, address, part = match.groups(default="")
        if address.startswith(("http:", "https:")):
            return match.group(0)
        if (source / address).is_file() and address.endswith(".md"):
            return f"[{words}]({address.removesuffix('.md')}.html{part})"
        return words

    return _LINK.sub(pointed, text)


def _page(body: str, title: str, output: Path, source: Path) -> None:
    navigation = (source / _NAVIGATION).read_text(encoding="utf-8")
    settings = read_settings(source, {"title": title, "lang": "en", "toc": True, "toc-depth": 2})
    with TemporaryDirectory(prefix="wor_eval-") as scratch:
        publish_page(to_html(f"{body}\n\n{navigation}", settings, scratch=Path(scratch)), output)


def api_page(stage: str) -> str:
    """Write the functions and types of a stage as Markdown, from their docstrings.

    Parameters
    ----------
    stage : str
        A folder of the package.

    Returns
    -------
    str
        A section per module, a part per function.

    Examples
    --------
    >>> "### adjusted_change" in api_page("effects")
    True
    """
    parts = []
    for name in sorted(module.name for module in pkgutil.iter_modules([str(_folder(stage))])):
        module = importlib.import_module(f"wor_eval.{stage}.{name}")
        about = (inspect.getdoc(module) or "").split("\n\n")[0]
        inside = [_part(item, thing) for item, thing in _public(module)]
        if inside:
            parts += [f"## {name}", " ".join(about.split()), *inside]
    return "\n\n".join(parts)


def _folder(stage: str) -> Path:
    return Path(__file__).parents[1] / stage


def _is_function(thing: Any) -> bool:
    """Tell whether it is a function, also one that remembers its answers."""
    return inspect.isfunction(inspect.unwrap(thing)) if callable(thing) else False


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the functions and classes that a module defines, in their order."""
    for name, thing in vars(module).items():
        ours = getattr(thing, "__module__", "") == module.__name__
        if not name.startswith("_") and ours and (_is_function(thing) or inspect.isclass(thing)):
            yield name, thing


def _part(name: str, thing: Any) -> str:
    signature = str(inspect.signature(thing)) if _is_function(thing) else ""
    shown = f"{name}{signature}".replace("'", "")
    return f"### {name}\n\n```\n{shown}\n\n{inspect.getdoc(thing) or ''}\n```"
