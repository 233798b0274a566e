"""The corpus: the RFC's own examples and some hundred made cases, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator

from tests.oracles import themes_dns, themes_macros, themes_terms
from tests.oracles.case import Case
from tests.oracles.making import listed, numbered


def made() -> Iterator[Case]:
    yield from numbered("mixed", themes_terms.mixed, 300)
    yield from listed("broken", themes_terms.broken())
    yield from numbered("wrapped", themes_terms.wrapped, 80)
    yield from listed("record", themes_terms.records())
    yield from numbered("explained", themes_macros.explained, 200)
    yield from numbered("named", themes_macros.named, 150)
    yield from numbered("led", themes_macros.led, 80)
    yield from listed("explanation", themes_macros.explanations())
    yield from listed("where explained", themes_macros.where_explained())
    yield from numbered("overlong", themes_macros.overlong, 80)
    yield from numbered("varied case", themes_macros.varied_case, 20)
    yield from listed("limited", themes_dns.limited())
    yield from numbered("nested", themes_dns.nested, 60)
    yield from numbered("void", themes_dns.void, 100)
    yield from numbered("mailed", themes_dns.mailed, 60)
    yield from numbered("pointed", themes_dns.pointed, 80)
    yield from listed("troubled", themes_dns.troubled())
    yield from listed("aliased", themes_dns.aliased())
    yield from listed("identified", themes_dns.identified())
    yield from listed("client", themes_dns.clients())
    yield from listed("names", themes_dns.names_of_the_client())
