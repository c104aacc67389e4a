"""What the parts of a plan are made of: frozen models without unknown keys, and texts in both languages."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Lang = Literal["nl", "en"]
Days = tuple[int, int]


class Plan(BaseModel):
    """A part of a plan: frozen, with no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(Plan):
    """One text in both languages of the package."""

    nl: str
    en: str

    def in_(self, lang: Lang) -> str:
        """Give the text in one language."""
        return self.nl if lang == "nl" else self.en
