"""The XMP packet of a saved picture: its own fields, and where the picture comes from (IPTC)."""

from __future__ import annotations

import json
from collections.abc import Mapping

NAMESPACE = "urn:x-ponystudio:1.0:"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
SOURCE_TYPE = "DigitalSourceType"
"""The property, and the name under which a picture's fields have it: a URI of IPTC's."""

_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about=""%s>%s</rdf:Description>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def packet(fields: Mapping[str, str], source_type: str) -> bytes:
    """What says these; b"" where there is nothing to say."""
    from html import escape  # that of xml.sax loads an HTTP client

    spaces, properties = "", ""
    if fields:
        text = escape(json.dumps(dict(fields)), quote=False)
        spaces += f' xmlns:ponystudio="{NAMESPACE}"'
        properties += f"<ponystudio:fields>{text}</ponystudio:fields>"
    if source_type:
        name = f"Iptc4xmpExt:{SOURCE_TYPE}"
        spaces += f' xmlns:Iptc4xmpExt="{IPTC}"'
        properties += f"<{name}>{escape(source_type, quote=False)}</{name}>"
    return (_PACKET % (spaces, properties)).encode() if properties else b""
