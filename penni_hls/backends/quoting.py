"""Text from outside (file names, names of layers, board files) as the languages of generated files quote it.

Tame text (letters, digits, `_ . - / :` and, in comments, blanks) stays as it is.
"""

from __future__ import annotations

import re

LIMIT = 200  # characters of a comment


def comment(text: str) -> str:
    """One printable line for a comment, a docstring or Markdown: nothing in it ends or continues any of these."""
    line = "".join(c if c.isprintable() else " " for c in text)
    for bad, good in (("\\", "/"), ('"', "'"), ("*/", "* /"), ("`", "'"), ("<", "("), (">", ")")):
        line = line.replace(bad, good)
    return line if len(line) <= LIMIT else f"{line[:LIMIT]}..."


def tcl(text: str) -> str:
    """Within a Tcl word, bare or in double quotes: every special character escaped, so that nothing is substituted."""
    escaped = "".join(c if re.match(r"[\w.:/-]", c, re.ASCII) else _tcl_escape(c) for c in text)
    return escaped or "{}"


def _tcl_escape(c: str) -> str:
    return f"\\{c}" if c.isprintable() and c.isascii() else f"\\u{min(ord(c), 0xFFFD):04x}"


def c_string(text: str) -> str:
    """Between the double quotes of a C++ string: printable ASCII as it is, all else as octal escapes."""
    safe = re.compile(r"[ -~]")
    plain = (
        c if safe.match(c) and c not in '"\\?' else "".join(f"\\{byte:03o}" for byte in c.encode("utf-8", "replace"))
        for c in text
    )
    return "".join(plain)
