"""Names that become a part of a path, an image or a tag."""

from __future__ import annotations

import re

__all__ = ["PLAIN_NAME", "is_plain_name"]

# no separator, no leading dot: such a name cannot leave the folder that it is put into
PLAIN_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def is_plain_name(text: object) -> bool:
    """Returns whether a value is a text of letters, digits, dots, dashes and underscores that begins with no sign.

    Example:
        >>> is_plain_name("income-2024"), is_plain_name("../income"), is_plain_name("/etc/passwd")
        (True, False, False)
    """
    return isinstance(text, str) and re.fullmatch(PLAIN_NAME, text) is not None
