"""From a Vega-Lite specification to an SVG that belongs to the page: its colors, its font, its size, its description.

Nothing is fetched and no browser runs. Colors in a specification are CSS variables, so one picture serves both light
and dark.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import vl_convert
from markupsafe import Markup

__all__ = ["draw"]

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
# Signs that a name in the data may hold and XML may not; vl-convert 1.9 ends the whole process when it measures one.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# The page's own title and table say what the picture shows; Vega's labels would read every mark aloud.
_UNWANTED = frozenset(
    {"role", "aria-label", "aria-roledescription", "aria-hidden", "pointer-events", "font-family", "class"}
)


def draw(spec: dict[str, Any], *, name: str, title: str, description: str) -> Markup:
    """Draw a chart as inline SVG that scales with the page and is read as one image.

    Parameters
    ----------
    spec
        Vega-Lite, with its data inside.
    name
        Unique on the page; ids are made from it.
    title, description
        What a reader who does not see the picture is told.
    """
    drawn = vl_convert.vegalite_to_svg(msgspec.json.encode(_writable(spec)).decode(), allowed_base_urls=[])
    root = ElementTree.fromstring(drawn)  # noqa: S314  # made by the line above
    _clean(root)
    width, height = root.attrib.pop("width"), root.attrib.pop("height")
    root.attrib.clear()
    root.attrib |= {
        "class": "chart",
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
    }
    for tag, text in (("desc", description), ("title", title)):
        told = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        told.text = text
        root.insert(0, told)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704  # every text was escaped by tostring


def _writable(value: Any) -> Any:
    """Show what cannot be written as the sign for "not a sign", in every text of a specification."""
    if isinstance(value, str):
        return _NOT_XML.sub("\ufffd", value)
    if isinstance(value, dict):
        return {key: _writable(part) for key, part in value.items()}
    return [_writable(part) for part in value] if isinstance(value, list) else value


def _clean(node: ElementTree.Element) -> None:
    node.tag = node.tag.removeprefix(_SVG)
    for child in list(node):
        _clean(child)
        if _is_empty(child):
            node.remove(child)
    for key in [key for key in node.attrib if key in _UNWANTED or key.startswith(_XLINK)]:
        del node.attrib[key]


def _is_empty(node: ElementTree.Element) -> bool:
    """Tell whether a node draws nothing: an empty group or path, or a label that Vega hid because it overlaps."""
    if node.tag == "g":
        return len(node) == 0
    if node.tag == "path":
        is_box = node.get("d", "") in {"", "M0,0h0v0h0Z"}
        return is_box or (node.get("fill") is None and node.get("stroke") is None)
    return node.tag == "text" and (node.get("opacity") == "0" or not "".join(node.itertext()).strip())
