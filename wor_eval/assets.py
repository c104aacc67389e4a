"""Where the declarations that ship with the package stand."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def asset(*parts: str) -> Path:
    """Path of a shipped declaration: in ``data_dictionary/``, ``analyses/`` or ``reports/``.

    In a checkout these folders stand beside the package; in an installed wheel they are inside it.

    Parameters
    ----------
    *parts : str
        Folder and file names, such as ``"data_dictionary", "raw"``.

    Returns
    -------
    pathlib.Path
        The path; it is not checked that it exists.

    Examples
    --------
    >>> asset("data_dictionary", "raw", "persons.yaml").is_file()
    True
    """
    shipped = _PACKAGE / "_shipped"
    root = shipped if shipped.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)
