"""A hook of the site: a page that would ask the network for a script, a style, a font or a picture is an error."""

import re
from typing import Any

_LOADS = re.compile(
    r'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="?(?:https?:)?//[^">\s]+'
    r'|<link\b[^>]*\brel="?(?:stylesheet|icon|preconnect|preload|prefetch)\b[^>]*\bhref="?(?:https?:)?//[^">\s]+'
    r'|<link\b[^>]*\bhref="?(?:https?:)?//[^">\s]+[^>]*\brel="?(?:stylesheet|icon|preconnect|preload|prefetch)\b'
)


def loaded_from_elsewhere(html: str) -> list[str]:
    """The elements of a page that a browser would fetch from another place by itself; links to follow are not."""
    return _LOADS.findall(html)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """The page as it is.

    Raises:
        ValueError: it needs a network.
    """
    if found := loaded_from_elsewhere(output):
        raise ValueError(f"{page.file.src_uri} is not read without a network: {', '.join(found)}")
    return output
