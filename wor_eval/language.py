"""Numbers, dates and a few fixed words in Dutch and English."""

import math
from datetime import date
from typing import Final

from wor_eval.study import Lang

MISSING: Final = "–"
INTERVAL: Final = {"nl": "95%-BI", "en": "95% CI"}
_MONTHS: Final = {
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "en": "January February March April May June July August September October November December",
}


def number(value: float | int | None, digits: int = 0, *, lang: Lang) -> str:
    """Write a number with the decimal and thousands signs of a language.

    Parameters
    ----------
    value : float, int or None
        The number; None and NaN become a dash.
    digits : int
        Decimals.
    lang : {"nl", "en"}
        Language.

    Returns
    -------
    str
        For instance ``1.234,5`` or ``1,234.5``; a minus is a real minus sign.

    Examples
    --------
    >>> number(-1234.56, 1, lang="nl"), number(-1234.56, 1, lang="en")
    ('−1.234,6', '−1,234.6')
    """
    if value is None or math.isnan(value):
        return MISSING
    text = f"{abs(value):,.{digits}f}"
    if lang == "nl":
        text = text.translate(str.maketrans(",.", ".,"))
    negative = value < 0 and any(sign in "123456789" for sign in text)
    return f"−{text}" if negative else text


def percent(share: float | None, digits: int = 0, *, lang: Lang) -> str:
    """Write a share (0-1) as a percentage.

    Examples
    --------
    >>> percent(0.154, 1, lang="nl"), percent(0.154, 1, lang="en")
    ('15,4%', '15.4%')
    """
    if share is None or math.isnan(share):
        return MISSING
    return f"{number(100 * share, digits, lang=lang)}%"


def interval(low: float, high: float, digits: int = 0, *, lang: Lang) -> str:
    """Write an interval in words: ``1,2 tot 3,4`` or ``1.2 to 3.4``.

    Examples
    --------
    >>> interval(1.234, 3.4, 1, lang="nl")
    '1,2 tot 3,4'
    """
    to = "tot" if lang == "nl" else "to"
    return f"{number(low, digits, lang=lang)} {to} {number(high, digits, lang=lang)}"


def p_value(value: float, *, lang: Lang) -> str:
    """Write a p-value with three decimals, or that it is below 0.001.

    Examples
    --------
    >>> p_value(0.0003, lang="nl"), p_value(0.0456, lang="en")
    ('< 0,001', '0.046')
    """
    if math.isnan(value):
        return MISSING
    if value < 0.001:
        return f"< {number(0.001, 3, lang=lang)}"
    return number(value, 3, lang=lang)


def day(value: date, *, lang: Lang) -> str:
    """Write a date: ``1 mei 2024`` or ``1 May 2024``.

    Examples
    --------
    >>> day(date(2024, 5, 1), lang="nl")
    '1 mei 2024'
    """
    return f"{value.day} {_MONTHS[lang].split()[value.month - 1]} {value.year}"


def listing(items: list[str], *, lang: Lang) -> str:
    """Join items as in a sentence: ``a, b en c`` or ``a, b and c``.

    Examples
    --------
    >>> listing(["a", "b", "c"], lang="nl")
    'a, b en c'
    """
    last = " en " if lang == "nl" else " and "
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])}{last}{items[-1]}"
