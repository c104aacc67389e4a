"""The errors this package raises: each says what is wrong, where, how often, and what to do.

A message never holds a person's value. Where several things are wrong they are listed together:
``problems`` holds one line for each.
"""

from collections.abc import Sequence


class WorEvalError(Exception):
    """Base of every error raised on purpose by this package.

    Parameters
    ----------
    message : str
        What is wrong, and where.
    problems : sequence of str, optional
        One line per problem, printed below the message.

    Examples
    --------
    >>> print(StudyError("the plan cannot be used", problems=["seed: missing"]))
    the plan cannot be used
      - seed: missing
    """

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        self.message = message
        self.problems = tuple(problems)
        super().__init__("\n  - ".join((message, *self.problems)))


class DataError(WorEvalError):
    """Raw tables that do not hold what the data dictionary says."""


class StudyError(WorEvalError):
    """A study plan that cannot be carried out."""


class DesignError(WorEvalError):
    """A cohort or a design that cannot be built from these data."""


class NobodyMatchedError(DesignError):
    """No referred person found a comparison person: the design is sound, but in these persons there is no pair."""


class EstimationError(WorEvalError):
    """An effect that cannot be estimated from this design."""


class ReportError(WorEvalError):
    """A report that cannot be rendered."""
