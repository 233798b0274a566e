"""The whole tree that a domain's record spans, whoever the client is: what each term leads to.

Built from what is known; what is missing is asked, and it is built again, level by level. It goes on past
the limits of an evaluation, up to bounds of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from eymail.dns.question import Question, Reply, Status, ask, askable
from eymail.dns.spf import macro
from eymail.dns.spf.check import MOST_HOSTS
from eymail.dns.spf.macro import MacroError, MacroString
from eymail.dns.spf.record import Directive, Modifier, Record, parse, records

MOST_QUESTIONS = 400
MOST_BRANCHES = 1000
MOST_DEPTH = 20
FAMILIES = {"A": 4, "AAAA": 6}

Known = Mapping[Question, Reply]


@dataclass(frozen=True)
class Policy:
    """What stands at a name: its SPF records (one, when all is well) and the terms of the first.

    ``problem`` is why there is none, or that it was not asked. ``owner`` is where a CNAME led, ``size`` the
    answer's, in bytes; ``void`` that it had nothing, ``others`` the texts that it had instead of a record.
    """

    name: str
    records: tuple[Record, ...] = ()
    branches: tuple[Branch, ...] = ()
    problem: str = ""
    checked: bool = True
    owner: str = ""
    size: int = 0
    ttl: int | None = None
    void: bool = False
    others: tuple[bytes, ...] = ()

    @property
    def record(self) -> Record | None:
        return self.records[0] if len(self.records) == 1 else None

    @property
    def sound(self) -> bool:
        """Whether there is one record, and no fault in it."""
        return self.record is not None and not self.record.faults

    def walk(self) -> Iterator[tuple[Policy, Branch]]:
        """Every branch with the policy it stands in, in evaluation order, those never reached as well."""
        for branch in self.branches:
            yield self, branch
            if branch.policy is not None:
                yield from branch.policy.walk()

    def reached(self) -> Iterator[tuple[Policy, Branch]]:
        """Those that an evaluation in which nothing matches comes to."""
        for branch in self.branches:
            if branch.reached:
                yield self, branch
                if branch.policy is not None:
                    yield from branch.policy.reached()

    def policies(self) -> Iterator[Policy]:
        """This one, and all that its terms lead to."""
        yield self
        for branch in self.branches:
            if branch.policy is not None:
                yield from branch.policy.policies()


@dataclass(frozen=True)
class Branch:
    """A term, and what it leads to.

    ``target`` is the name that it asks for, empty where it asks for none or depends on the client, which
    ``depends`` says; ``reached`` is false for what stands after an ``all``. ``hosts`` are mail
    exchangers, ``addresses`` all that it names. ``voids`` counts void answers, for clients of IPv4 and
    of IPv6. ``problem`` is what is wrong with what the DNS says, or, when not ``checked``, why it is
    not known.
    """

    term: Directive | Modifier
    target: str = ""
    depends: bool = False
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    policy: Policy | None = None
    voids: tuple[int, int] = (0, 0)
    problem: str = ""
    checked: bool = True
    reached: bool = True
    ttls: tuple[int, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether it is one of the ten look-ups of an evaluation."""
        named = isinstance(self.term, Directive) and self.term.asks
        return named or self.term.name == "redirect"


@dataclass
class Builder:
    """Builds the tree of ``domain`` from what is known, and notes what would have to be asked."""

    known: Known
    missing: dict[Question, None] = field(default_factory=dict)
    _asked: set[Question] = field(default_factory=set)
    _branches: int = 0

    def policy(self, name: str, above: tuple[str, ...] = ()) -> Policy:
        """The policy at a name, reached by way of the names ``above``."""
        if not askable(name) or "." not in name:
            return Policy(name, problem="is no name that could have a record")
        reply = self._reply(ask(name, "TXT"))
        if reply is None or reply.status is Status.FAILED:
            return Policy(name, problem=reply.problem if reply else _NOT_ASKED, checked=False)
        if reply.status is Status.NO_NAME:
            return Policy(name, problem="does not exist", ttl=reply.ttl, void=True)
        found = tuple(parse(one) for one in records(reply.texts))
        here = Policy(name, found, owner=reply.owner, size=reply.size, ttl=reply.ttl)
        if not found:
            return replace(here, problem="has no SPF record", void=reply.void, others=reply.texts)
        problem = f"has {len(found)} SPF records" if len(found) > 1 else ""
        branches = tuple(branch for one in found for branch in self._terms(one, (*above, name.lower())))
        return replace(here, branches=branches, problem=problem)

    def _terms(self, record: Record, above: tuple[str, ...]) -> Iterator[Branch]:
        reached = True
        for directive in record.directives:
            yield replace(self._branch(directive, above), reached=reached)
            reached = reached and directive.name != "all"
        for modifier in record.modifiers:
            if modifier.name == "redirect":
                yield replace(self._branch(modifier, above), reached=reached)
            elif modifier.name == "exp":
                yield self._explanation(modifier, above)
            else:
                yield Branch(modifier)

    def _branch(self, term: Directive | Modifier, above: tuple[str, ...]) -> Branch:
        self._branches += 1
        if isinstance(term, Directive) and term.network is not None:
            return Branch(term, addresses=(str(term.network),))
        if term.name == "all":
            return Branch(term)
        target = _target(term, above[-1])
        if target is None:
            return Branch(term, depends=True)
        if term.name in ("include", "redirect"):
            return self._other(term, target, above)
        assert isinstance(term, Directive)
        return self._exchangers(term, target) if term.name == "mx" else self._host(term, target)

    def _other(self, term: Directive | Modifier, target: str, above: tuple[str, ...]) -> Branch:
        if target.lower() in above:
            return Branch(term, target, problem="leads back to itself")
        if len(above) >= MOST_DEPTH or self._branches > MOST_BRANCHES:
            return Branch(term, target, problem=_NOT_ASKED, checked=False)
        policy = self.policy(target, above)
        told = f"{target} {policy.problem}" if policy.checked and policy.problem else policy.problem
        void = int(policy.void)
        return Branch(term, target, policy=policy, voids=(void, void), problem=told, checked=policy.checked)

    def _host(self, term: Directive, target: str) -> Branch:
        kinds = ("A",) if term.name == "exists" else ("A", "AAAA")
        if not askable(target):
            return Branch(term, target, problem=f"{target} can be no name")
        replies = {kind: self._reply(ask(target, kind)) for kind in kinds}
        return self._resolved(term, target, {target: replies})

    def _exchangers(self, term: Directive, target: str) -> Branch:
        reply = self._reply(ask(target, "MX")) if askable(target) else Reply(Status.NO_NAME)
        if reply is None or reply.status is Status.FAILED:
            return Branch(term, target, problem=reply.problem if reply else _NOT_ASKED, checked=False)
        if not reply.exchangers:
            void = int(reply.void)
            return Branch(term, target, voids=(void, void), problem=f"{target} has no mail exchanger")
        if len(reply.records) > MOST_HOSTS:  # an evaluation asks for none of them
            return Branch(term, target, hosts=reply.exchangers, ttls=(reply.ttl,))
        hosts = tuple(host for host in reply.exchangers if askable(host))
        found = {host: {kind: self._reply(ask(host, kind)) for kind in FAMILIES} for host in hosts}
        return self._resolved(term, target, found, reply.exchangers, (reply.ttl,))

    def _resolved(
        self,
        term: Directive,
        target: str,
        found: Mapping[str, Mapping[str, Reply | None]],
        hosts: tuple[str, ...] = (),
        ttls: tuple[int, ...] = (),
    ) -> Branch:
        """A term whose hosts have been asked for their addresses."""
        replies = [reply for each in found.values() for reply in each.values()]
        known = [reply for reply in replies if reply is not None and reply.status is not Status.FAILED]
        addresses = tuple(dict.fromkeys(address for reply in known for address in reply.names))
        voids = tuple(sum(_void(each.get(kind)) for each in found.values()) for kind in FAMILIES)
        whole = len(known) == len(replies)
        why = next((reply.problem for reply in replies if reply and reply.problem), _NOT_ASKED)
        bare = [host for host, each in found.items() if all(_void(reply) for reply in each.values())]
        problem = f"{', '.join(bare)}: no address" if bare else ""
        return Branch(
            term,
            target,
            hosts=hosts,
            addresses=addresses,
            voids=(voids[0], voids[1]),
            problem=problem if whole else why,
            checked=whole,
            ttls=(*ttls, *(reply.ttl for reply in known)),
        )

    def _explanation(self, modifier: Modifier, above: tuple[str, ...]) -> Branch:
        target = _target(modifier, above[-1])
        if target is None or not askable(target):
            return Branch(modifier, depends=target is None)
        reply = self._reply(ask(target, "TXT"))
        if reply is None or reply.status is Status.FAILED:
            return Branch(modifier, target, problem=reply.problem if reply else _NOT_ASKED, checked=False)
        return Branch(modifier, target, problem=_no_explanation(target, reply))

    def _reply(self, question: Question) -> Reply | None:
        """None when it is not known yet, or is one question too many."""
        if question not in self._asked:
            if len(self._asked) >= MOST_QUESTIONS:
                return None
            self._asked.add(question)
        reply = self.known.get(question)
        if reply is None:
            self.missing[question] = None
        return reply


def _no_explanation(target: str, reply: Reply) -> str:
    """Why a name's TXT is no explanation (RFC 7208 section 6.2), empty where it is one."""
    if len(reply.texts) != 1:
        return f"{target} has not one TXT record but {len(reply.texts)}"
    try:
        macro.parse(reply.texts[0].decode("ascii"), spaces=True)
    except (UnicodeDecodeError, MacroError) as error:
        why = "it is not ASCII" if isinstance(error, UnicodeDecodeError) else str(error)
        return f"the text at {target} is no explanation: {why}"
    return ""


_NOT_ASKED = "not asked: the tree is too large"


def _void(reply: Reply | None) -> bool:
    return reply is not None and reply.void


def _target(term: Directive | Modifier, domain: str) -> str | None:
    """The name that a term asks for; None when it depends on the client."""
    parts: MacroString | None = term.domain if isinstance(term, Directive) else term.value
    if term.name == "ptr":
        return None
    if parts is None:
        return domain
    if set(macro.letters(parts)) - {"d"}:
        return None
    return macro.expand_domain(parts, {"d": domain})
