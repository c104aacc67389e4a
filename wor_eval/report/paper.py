"""Turn the Markdown of a report into a PDF (by way of Typst) or a Word document, without network."""

from pathlib import Path
from typing import Final

from wor_eval.errors import ReportError
from wor_eval.report.pandoc import Settings, convert

_PAPER: Final = Path(__file__).with_name("paper.lua")
_SPELLING: Final = {"nl": "nl-NL", "en": "en-GB"}  # Word checks the spelling of a country
_TEMPLATE: Final = "_template.typ"
_REFERENCE: Final = "_reference.docx"


def to_docx(markdown: str, settings: Settings, *, scratch: Path) -> bytes:
    """Convert Markdown to a Word document with real tables.

    Parameters
    ----------
    markdown, settings, scratch
        As for :func:`wor_eval.report.pandoc.to_html`; each figure stands in `scratch` as PNG as well.

    Returns
    -------
    bytes
        The document, in the styles of ``_reference.docx`` beside the report where there is one.

    Raises
    ------
    ReportError
        As for :func:`wor_eval.report.pandoc.to_html`.
    """
    styles = settings.folder.resolve() / _REFERENCE
    arguments = [f"--lua-filter={_PAPER.resolve()}", "--to=docx", "--output=report.docx"]
    arguments.append(f"--metadata=lang:{_SPELLING[settings.lang]}")
    if styles.is_file():
        arguments.append(f"--reference-doc={styles}")
    convert(markdown, settings, scratch=scratch, arguments=arguments)
    return (scratch / "report.docx").read_bytes()


def to_pdf(markdown: str, settings: Settings, *, scratch: Path) -> bytes:
    """Convert Markdown to a PDF that screen readers can read (PDF/UA), on A4.

    Parameters
    ----------
    markdown, settings, scratch
        As for :func:`wor_eval.report.pandoc.to_html`.

    Returns
    -------
    bytes
        The document, in the look of ``_template.typ`` beside the report.

    Raises
    ------
    ReportError
        As for :func:`wor_eval.report.pandoc.to_html`, or Typst cannot set the page.
    """
    arguments = [f"--lua-filter={_PAPER.resolve()}", "--to=typst", "--output=report.typ"]
    template = settings.folder.resolve() / _TEMPLATE
    if template.is_file():
        arguments.append(f"--template={template}")
    if settings.options.get("toc"):
        arguments.append("--toc")
    convert(markdown, settings, scratch=scratch, arguments=arguments)
    return _set(scratch)


def _set(scratch: Path) -> bytes:
    """Let Typst make the PDF, with the fonts that come with Matplotlib and no others."""
    import matplotlib
    import typst

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    try:
        pdf = typst.compile(
            scratch / "report.typ",
            root=scratch,
            font_paths=[fonts],
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    except typst.TypstError as error:
        raise ReportError("the report cannot be set as PDF", problems=str(error).splitlines()) from None
    return bytes(pdf)
