"""How numbers and labels are written in the pages."""

import html
import math
import re

from markupsafe import Markup, escape


def fixed(value: float | None, digits: int) -> str:
    """Format a number with fixed decimals and commas; n/a if there is none."""
    if value is None or not math.isfinite(value):
        return "n/a"
    return f"{value:z,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, digits: int) -> str:
    """Format a difference: like `fixed`, with a plus sign if it is positive."""
    text = fixed(value, digits)
    positive = value is not None and math.isfinite(value) and round(value, digits) > 0
    return f"+{text}" if positive else text


def breakable(label: str) -> Markup:
    """Let a label wrap after its underscores."""
    return Markup("_<wbr>").join(map(escape, label.split("_")))


def markdown_text(value: object) -> object:
    """Escape text for Markdown, table cells included; markup is left alone."""
    if isinstance(value, Markup):
        return value
    line = " ".join(html.escape(str(value), quote=False).splitlines())
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)
