"""The nearest known name, for hints."""

from __future__ import annotations

from collections.abc import Iterable, Set


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str | None:
    """Return the hint for a name that does not exist.

    Args:
        word: what was written.
        known: what could have been written; of a set the order of the alphabet counts, since it has none itself.
        otherwise: what the known names are, in the words before their list, when none of them is near.
    """
    import difflib

    names = sorted(known) if isinstance(known, Set) else list(dict.fromkeys(known))
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), list(folded), 1, cutoff=0.65)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    if otherwise and names:
        return f"{otherwise}: {', '.join(names)}"
    return None
