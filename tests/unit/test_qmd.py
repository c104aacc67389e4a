"""Reading a .qmd: front matter, includes, chunks, inline code, and what is refused."""

from pathlib import Path

import pytest

from wor_eval.errors import ReportError
from wor_eval.report.qmd import Chunk, Inline, Prose, read_qmd


@pytest.fixture
def write(tmp_path):
    def writer(text: str, name: str = "report.qmd") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def kinds(report):
    return [type(piece).__name__ for piece in report.pieces]


def test_front_matter_and_pieces_in_document_order(write):
    report = read_qmd(
        write(
            "---\ntitle: T\nlang: nl\n---\n\nA `{python} n + 1` b.\n\n"
            '```{python}\n#| label: fig-a\n#| fig-cap: "A: b"\n#| echo: true\nn = 1\n\nn\n```\nEnd.\n'
        )
    )
    assert report.front == {"title": "T", "lang": "nl"}
    assert kinds(report) == ["Prose", "Inline", "Prose", "Chunk", "Prose"]
    inline, chunk = report.pieces[1], report.pieces[3]
    assert isinstance(inline, Inline) and isinstance(chunk, Chunk)
    assert (inline.code, inline.place) == ("n + 1", "report.qmd, line 6")
    assert chunk.options == {"label": "fig-a", "fig-cap": "A: b", "echo": True}
    assert chunk.code == "n = 1\n\nn"
    assert chunk.name == "chunk 'fig-a' (report.qmd, line 8)"


def test_several_inline_expressions_on_one_line_and_over_a_line_end(write):
    report = read_qmd(write("`{python} a` and `{python} b`, then `{python} f(1,\n2)`.\n"))
    assert [p.code for p in report.pieces if isinstance(p, Inline)] == ["a", "b", "f(1,\n2)"]
    text = "".join(p.text for p in report.pieces if isinstance(p, Prose))
    assert text == " and , then .\n"


def test_code_that_is_only_shown_is_not_run(write):
    text = "````text\n```{python}\n1 / 0\n```\n`{python} x`\n````\n\n~~~\n{{< pagebreak >}}\n~~~\n"
    report = read_qmd(write(text))
    assert kinds(report) == ["Prose", "Prose", "Prose"]
    assert "".join(p.text for p in report.pieces) == text


def test_the_text_passes_unchanged(write):
    text = "## Kop {#sec-a}\n\n- één\n- twee\n\n::: {.callout-note}\nx\n:::\n"
    assert "".join(p.text for p in read_qmd(write(text)).pieces) == text


def test_include_is_relative_to_the_file_that_includes(write):
    write("from deeper `{python} 1`\n", "parts/deeper.qmd")
    write("first\n{{< include deeper.qmd >}}\nlast\n", "parts/part.qmd")
    report = read_qmd(write("{{< include parts/part.qmd >}}\nend\n"))
    assert kinds(report) == ["Prose", "Inline", "Prose"]
    assert report.pieces[1].place == "deeper.qmd, line 1"
    assert report.pieces[2].text == "\nlast\nend\n"


def test_missing_include_names_the_line(write):
    with pytest.raises(
        ReportError, match=r"report.qmd, line 2: the included file _common.qmd does not exist"
    ):
        read_qmd(write("text\n{{< include _common.qmd >}}\n"))


def test_include_in_a_circle(write):
    write("{{< include b.qmd >}}\n", "a.qmd")
    write("{{< include a.qmd >}}\n", "b.qmd")
    with pytest.raises(ReportError, match="includes itself"):
        read_qmd(write("{{< include a.qmd >}}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\ntitle: x\n", "never closed with a line ---"),
        ("---\ntitle: [x\n---\n", "front matter is not valid YAML"),
        ("---\n- x\n---\n", "must be a list of `key: value` lines"),
        ('---\ntitle: "`{python} x`"\n---\n', "inline code in the front matter"),
        ("```{python}\n1\n", "line 1: the block that opens here is never closed"),
        ("- item\n\n  ```{python}\n  1\n  ```\n", "line 3: a chunk must start at the left margin"),
        ("```{python}\n#| fig-subcap: x\n1\n```\n", "fig-subcap: not an option that both renderers know"),
        ("```{python}\n#| echo: maybe\n1\n```\n", "echo: must be true or false"),
        ("```{python}\n#| output: html\n1\n```\n", "output: must be true, false or asis"),
        ("```{python}\n#| fig-cap: [a, b]\n1\n```\n", "fig-cap: must be one text"),
        ('```{python}\n#| tbl-cap: "`{python} x`"\n1\n```\n', "inline code is not run in a chunk option"),
        ("```{python}\n#| label: fig-x\n#| tbl-cap: c\n1\n```\n", "a label fig-… goes with fig-cap"),
        ("```{python}\n#| label: a\n1\n```\n```{python}\n#| label: a\n1\n```\n", "the label is already used"),
        ("{{< video x.mp4 >}}\n", "line 1: the shortcode video is not known"),
    ],
)
def test_what_the_renderers_would_not_show_alike_is_refused(write, text, message):
    with pytest.raises(ReportError) as caught:
        read_qmd(write(text))
    assert message in str(caught.value)


def test_all_wrong_options_are_listed_at_once(write):
    with pytest.raises(ReportError) as caught:
        read_qmd(write("```{python}\n#| a: 1\n#| b: 2\n#| echo: x\n1\n```\n"))
    assert len(caught.value.problems) == 3


def test_missing_report(tmp_path):
    with pytest.raises(ReportError, match=r"none.qmd: there is no such file"):
        read_qmd(tmp_path / "none.qmd")
