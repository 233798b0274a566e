"""RRsets as steps have them: a row of ``ttl`` and ``records``, one record a line in presentation form.

The form is canonical, so that two rows say the same when they are equal: absolute names in lower case,
records sorted, TXT strings quoted (RFC 1035 section 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from eymail.errors import InvalidInput
from eymail.model import quoted
from eymail.plan import Row, Step

if TYPE_CHECKING:
    import dns.name
    import dns.rdataset
    import dns.rdatatype

KIND = "dns"
_LONGEST_STRING = 255
_LONGEST_TTL = 2**31 - 1


def step(zone: str, name: str, kind: str, before: Row | None, after: Row | None) -> Step:
    """The step from one RRset to another; None is no RRset of that name and type.

    Rows as ``row`` or ``update.DnsExecutor.read`` make them.
    """
    return Step(KIND, zone, f"{name} {kind}", before, after)


def row(kind: str, ttl: int, records: Iterable[str]) -> Row:
    """The row of an RRset. ``records`` in presentation form; a name in them is absolute, dot or not.

    Raises InvalidInput when a record is none of its type.
    """
    found = rdataset(kind, {"ttl": ttl, "records": "\n".join(records)})
    return row_of(found)


def row_of(found: dns.rdataset.Rdataset) -> Row:
    """The row of dnspython's RRset."""
    texts = sorted(record.to_text() for record in found)
    return {"ttl": int(found.ttl), "records": "\n".join(texts)}


def txt(text: str) -> str:
    """A TXT record in presentation form: strings of 255 bytes at most, all odd bytes escaped."""
    data = text.encode()
    parts = [data[at : at + _LONGEST_STRING] for at in range(0, len(data), _LONGEST_STRING)] or [b""]
    return " ".join('"' + "".join(_escaped(byte) for byte in part) + '"' for part in parts)


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 32 <= byte < 127 else f"\\{byte:03d}"


def parts(key: str) -> tuple[dns.name.Name, dns.rdatatype.RdataType]:
    """A step's key as the name and the type that it means. Raises InvalidInput."""
    import dns.exception
    import dns.name
    import dns.rdatatype

    text, _, kind = key.rpartition(" ")
    try:
        found = dns.rdatatype.from_text(kind)
        name = dns.name.from_text(text).canonicalize()
    except (dns.exception.DNSException, ValueError) as error:
        raise InvalidInput(f"{quoted(key)} is no name and type in the DNS") from error
    if dns.rdatatype.is_metatype(found) or found == dns.rdatatype.SOA or not text:
        raise InvalidInput(f"{quoted(key)}: records of this type are not changed", "the server makes them")
    return name, found


def rdataset(kind: str, wanted: Row) -> dns.rdataset.Rdataset:
    """The RRset that a row means, in canonical form. Raises InvalidInput."""
    import dns.exception
    import dns.rdataset

    lines = str(wanted["records"]).splitlines()
    ttl: Any = wanted["ttl"]
    if not lines or isinstance(ttl, bool) or not isinstance(ttl, int) or not 0 <= ttl <= _LONGEST_TTL:
        raise InvalidInput(f"an RRset has records and a TTL of 0 to {_LONGEST_TTL} s (RFC 2181 section 8)")
    try:
        made = [_rdata(kind, line) for line in lines]
        found = dns.rdataset.from_rdata_list(ttl, made)
    except (dns.exception.DNSException, ValueError) as error:
        shown = ", ".join(quoted(line) for line in lines[:3])
        raise InvalidInput(f"no records of type {kind}: {shown}", str(error)) from error
    if len(found) != len(set(made)):
        raise InvalidInput(f"a name has one {kind} record at most (RFC 2181 section 10.1)")
    return found


def _rdata(kind: str, line: str) -> Any:
    import dns.name
    import dns.rdata

    # By its wire form: what cannot be sent is found here, and the text of what comes back is the same.
    made = dns.rdata.from_text("IN", kind, line, dns.name.root, relativize=False)
    wire = made.to_digestable()
    return dns.rdata.from_wire("IN", kind, wire, 0, len(wire))
