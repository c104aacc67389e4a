"""A piece of running text of a report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of running text that shows itself as Markdown."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text.replace("€ ", "€\u00a0")

    def __str__(self) -> str:
        return self.text
