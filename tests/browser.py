"""A browser without a window: what axe-core finds on a page, how wide it is, what it fetches, where the keyboard goes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NARROW = 360  # CSS pixels of a small telephone
A4 = 658  # CSS pixels between the margins of style.css on A4: 210 mm less twice 18 mm, at 96 to the inch
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Level A and AA of WCAG 2.0 to 2.2, and what axe-core calls good practice.
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@contextmanager
def browser() -> Iterator[Any]:
    """Give a browser; the test is skipped, with the reason, where there is none."""
    sync = pytest.importorskip(
        "playwright.sync_api", reason="the dev dependency axe-playwright-python is not installed"
    )
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no Chromium on the PATH (looked for {', '.join(_NAMES)})")
    with sync.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def opened(chromium: Any, path: Path, *, width: int = 1280) -> Iterator[Any]:
    """Open a page from its file; it may fetch nothing else."""
    page = chromium.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.resolve().as_uri())
    assert [url[:60] for url in asked if not url.startswith("data:")][1:] == [], "a page stands alone"
    try:
        yield page
    finally:
        page.close()


def violations(page: Any) -> list[str]:
    """Run axe-core: each broken rule with the first elements that break it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, options={"runOnly": {"type": "tag", "values": list(_TAGS)}}).response["violations"]
    return [
        f"{broken['id']} ({broken['impact']}): {broken['help']}: {[node['target'] for node in broken['nodes'][:5]]}"
        for broken in found
    ]


def too_wide(page: Any) -> list[str]:
    """List what sticks out of the page to the right, outside a frame that scrolls by itself."""
    return page.evaluate(  # type: ignore[no-any-return]
        """() => {
          const width = document.documentElement.clientWidth, out = [];
          if (document.documentElement.scrollWidth > width) out.push("the page scrolls to the side");
          for (const node of document.querySelectorAll("body *")) {
            const box = node.getBoundingClientRect();
            let frame = node.parentElement;
            while (frame && !["auto", "scroll", "hidden"].includes(getComputedStyle(frame).overflowX)) {
              frame = frame.parentElement;
            }
            if (!frame && box.width && box.right > width + 1) out.push(`${node.tagName}#${node.id}.${node.className}`);
          }
          return out.slice(0, 8);
        }"""
    )


def on_paper(chromium: Any, path: Path) -> tuple[list[str], bytes]:
    """Print a page on A4: what does not fit between the margins, and the PDF."""
    with opened(chromium, path, width=A4) as page:
        page.emulate_media(media="print")
        return too_wide(page), page.pdf(format="A4", prefer_css_page_size=True)


def focus_order(page: Any, *, presses: int) -> list[str]:
    """Press Tab a number of times: the tag and class of what has the focus, with whether an outline shows it."""
    seen = []
    for _ in range(presses):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "() => { const e = document.activeElement, s = getComputedStyle(e);"
                " return `${e.tagName}.${e.className} ${s.outlineStyle !== 'none'}`; }"
            )
        )
    return seen
