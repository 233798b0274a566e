"""A domain's SPF, whole: what its record leads to, whether the clusters may send, what to mend."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eymail.config import Cluster
from eymail.dns.answers import as_text
from eymail.dns.question import Question, Reply
from eymail.dns.spf import faults
from eymail.dns.spf.check import MOST_LOOKUPS, MOST_VOIDS
from eymail.dns.spf.client import Client
from eymail.dns.spf.faults import Finding
from eymail.dns.spf.record import Outcome
from eymail.dns.spf.run import Pool, tree
from eymail.dns.spf.tree import Branch, Policy
from eymail.env import Env
from eymail.errors import DnsError, EymailError, NotFound
from eymail.model import Cell, Failure, Result, Twig, View
from eymail.ops.spf import publish
from eymail.ops.spf.check import DEADLINE, parse_ip
from eymail.ops.spf.sources import known_of

NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Term:
    """A term of a record: the name that it ``asks`` for, what that leads to, and its ``state``.

    ``state`` is ok, error, warning, not checked, never reached, or "depends on the client".
    """

    term: str
    asks: str
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    state: str
    detail: str
    policy: Record | None


@dataclass(frozen=True)
class Record:
    """What stands at a name: its SPF records (one, when all is well) and their terms. ``ttl`` in seconds."""

    name: str
    records: tuple[str, ...]
    state: str
    detail: str
    ttl: int | None
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class SourceVerdict:
    """What check_host() says of a cluster's source address, and the terms that decided.

    ``result`` is "not checked" for a temporary error.
    """

    cluster: str
    address: str
    result: str
    by: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class DomainSpf(Result):
    """A domain's SPF. ``lookups`` of 10 and ``voids`` of 2 are used where nothing matches before the end.

    ``voids`` are those for clients of IPv4 and of IPv6. ``publish`` is a better record for the name
    ``publish_at``, if one is known; ``admits`` the cluster that it lets send and the present one does not.
    """

    domain: str
    tree: Record
    lookups: int
    voids: tuple[int, int]
    clusters: tuple[SourceVerdict, ...]
    findings: tuple[Finding, ...]
    publish_at: str
    publish: str
    admits: str
    missing: tuple[Failure, ...] = field(metadata={"json": False})
    check: bool = field(default=False, metadata={"json": False})

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.missing

    @property
    def exit_code(self) -> int:
        if self.missing:
            return 1
        refused = any(one.result != Outcome.PASS for one in self.clusters)
        broken = any(one.level == faults.ERROR for one in self.findings)
        return 3 if self.check and (broken or refused) else 0

    def view(self) -> View:
        rows = (*self._clusters(), *self._findings())
        publish = tuple(self._publish())
        title = f"{self.domain}: {' and '.join(self.tree.records)}"
        notes = (self.summary(),)
        plain = (*_lines(self.tree), *rows, *publish)
        return View(_COLUMNS, rows, title, _COLUMNS[0], notes, plain, _twig(self.tree), self._footer())

    def _footer(self) -> tuple[str, ...]:
        """The record to publish, as a zone file has it."""
        if not self.publish:
            return ()
        why = f" so that {self.admits} may send as well" if self.admits else ""
        return f"publish{why}:", f'{self.publish_at}. TXT "{self.publish}"'

    def summary(self) -> str:
        """The limits in words."""
        v4, v6 = self.voids
        lookups = f"look-ups: {self.lookups} of {MOST_LOOKUPS}"
        return f"{lookups}; void answers of {MOST_VOIDS}: {v4} for IPv4, {v6} for IPv6"

    def _clusters(self) -> Iterator[tuple[Cell, ...]]:
        for one in self.clusters:
            by = " > ".join(one.by) if not one.problem else one.problem
            yield f"cluster {one.cluster}", self.domain, one.address, one.result, by

    def _findings(self) -> Iterator[tuple[Cell, ...]]:
        for one in self.findings:
            yield one.level, one.name, one.term, one.problem, one.mend

    def _publish(self) -> Iterator[tuple[Cell, ...]]:
        if self.publish:
            why = f"so that {self.admits} may send as well" if self.admits else ""
            yield "publish", self.publish_at, "TXT", self.publish, why


_COLUMNS = ("what", "name", "term or address", "result", "by, or what to do")


def _lines(record: Record) -> Iterator[tuple[Cell, ...]]:
    for text in record.records:
        yield "record", record.name, text, record.state, record.detail
    for term in record.terms:
        leads = " ".join((*term.hosts, *term.addresses)) or term.asks
        yield (
            "term",
            record.name,
            term.term,
            term.state,
            leads if term.state == "ok" else term.detail or leads,
        )
        if term.policy is not None:
            yield from _lines(term.policy)


def _twig(record: Record) -> Twig:
    return Twig(record.name, record.state, tuple(_term_twig(term) for term in record.terms))


def _term_twig(term: Term) -> Twig:
    told = (
        f": {', '.join((*term.hosts, *term.addresses))}"
        if term.hosts or (term.asks and term.addresses)
        else ""
    )
    odd = "" if term.state in ("ok", "error", "warning") else term.state
    why = "; ".join(filter(None, (odd, term.detail)))
    below = tuple(_term_twig(inner) for inner in term.policy.terms) if term.policy else ()
    return Twig(f"{term.term}{told}{f' ({why})' if why else ''}", term.state, below)


def of_domain(env: Env, domain: str, *, deadline: float = DEADLINE, check: bool = False) -> DomainSpf:
    """A domain's SPF: its tree, its faults, and what it says of the clusters' source addresses.

    With ``check`` an error, or a cluster that may not send, is exit code 3. Raises NotFound when the domain
    has no record, DnsError when it cannot be asked.
    """
    end = time.time() + deadline
    known: dict[Question, Reply] = {}
    policy = tree(env.asker, domain, deadline, known)
    clusters, unreachable = _clusters(env)
    if not policy.records:
        raise _none(policy, clusters)
    found = faults.findings(policy)
    used = faults.use(policy)
    left = max(0.1, end - time.time())
    verdicts = tuple(_verdicts(env, clusters, domain, known, left))
    admitted = _to_admit(env, clusters, verdicts)
    wanted = tuple(_wanted(clusters, verdicts, admitted))
    better = publish.advice(env.asker, policy, known, wanted, left)
    if better.why:
        found = (*found, Finding(faults.WARNING, better.name, "", better.why, "flatten it? --flatten"))
    missing = (*_missing(policy), *unreachable)
    return DomainSpf(
        domain,
        _record(policy),
        used.lookups,
        used.voids,
        verdicts,
        found,
        better.name,
        better.record,
        admitted.name if admitted and better.record else "",
        missing,
        check,
    )


def _none(policy: Policy, clusters: tuple[Cluster, ...]) -> EymailError:
    if not policy.checked:
        return DnsError(f"the SPF record of {policy.name} was not found out: {policy.problem}")
    if policy.problem == "does not exist":
        return NotFound(f"{policy.name} does not exist in the DNS", "is it spelt right?")
    near = next((as_text(one) for one in policy.others if b"spf1" in one.lower()), "")
    if near:
        hint = f"this was meant to be one? it has to begin with v=spf1 and a blank: {near}"
    elif clusters:
        hint = f'publish: {policy.name}. TXT "v=spf1 include:{clusters[0].spf_name} ~all"'
    else:
        hint = "receivers then know nothing of who may send for it"
    return NotFound(f"{policy.name} {policy.problem}", hint)


def _wanted(
    clusters: Iterable[Cluster], verdicts: Iterable[SourceVerdict], admitted: Cluster | None
) -> Iterator[publish.Wanted]:
    """The addresses that pass now, and those of the cluster that is to be admitted."""
    known = {cluster.name: cluster for cluster in clusters}
    for one in verdicts:
        cluster = known[one.cluster]
        if one.result == Outcome.PASS or cluster is admitted:
            yield publish.Wanted(cluster, one.address)


def _record(policy: Policy) -> Record:
    texts = tuple(record.text for record in policy.records)
    faulty = any(record.faults for record in policy.records)
    state = NOT_CHECKED if not policy.checked else "error" if policy.problem or faulty else "ok"
    broken = tuple(
        Term(fault.text, "", (), (), "error", fault.why, None)
        for record in policy.records
        for fault in record.faults
    )
    terms = [*(_term(branch) for branch in policy.branches), *broken]
    if policy.record:
        terms.sort(key=lambda one: policy.records[0].place(one.term))
    return Record(policy.name, texts, state, policy.problem, policy.ttl, tuple(terms))


def _term(branch: Branch) -> Term:
    policy = _record(branch.policy) if branch.policy else None
    found = (branch.term.text, branch.target, branch.hosts, branch.addresses)
    return Term(*found, _state(branch), branch.problem, policy)


def _state(branch: Branch) -> str:
    odd = {"never reached": not branch.reached, "depends on the client": branch.depends}
    odd[NOT_CHECKED] = not branch.checked
    for state, holds in odd.items():
        if holds:
            return state
    fatal = branch.term.name in ("include", "redirect")
    return ("error" if fatal else "warning") if branch.problem else "ok"


def _missing(policy: Policy) -> Iterator[Failure]:
    problems = [branch.problem for _, branch in policy.reached() if not branch.checked]
    for problem in dict.fromkeys(problems):
        yield Failure(DnsError.code, f"not checked: {problem}")


def _clusters(env: Env) -> tuple[tuple[Cluster, ...], tuple[Failure, ...]]:
    """The inventory's clusters, with what the directory assigns where that can be asked."""
    found = [known_of(env, cluster) for cluster in (env.config.clusters or {}).values()]
    errors = dict.fromkeys(error for _, error in found if error)
    return tuple(cluster for cluster, _ in found), tuple(errors)


def _verdicts(
    env: Env, clusters: Iterable[Cluster], domain: str, known: dict[Question, Reply], deadline: float
) -> Iterator[SourceVerdict]:
    pool = Pool(env.asker, deadline, known)
    sources = [(cluster.name, address) for cluster in clusters for address in _sources(cluster, domain)]
    clients = (
        (Client.of(parse_ip(address), f"postmaster@{domain}", domain), domain) for _, address in sources
    )
    for (cluster, address), verdict in zip(sources, pool.verdicts(clients), strict=True):
        answered = verdict.result is not Outcome.TEMPERROR
        told = verdict.result if answered else NOT_CHECKED
        yield SourceVerdict(cluster, address, told, verdict.path, verdict.problem)


def _sources(cluster: Cluster, domain: str) -> Iterator[str]:
    """The addresses that a domain's mail may leave the cluster by."""
    own = [str(entry.address) for entry in cluster.dedicated if domain in entry.domains]
    if cluster.source_address:
        yield str(cluster.source_address)
    yield from own


def _to_admit(env: Env, clusters: Iterable[Cluster], verdicts: tuple[SourceVerdict, ...]) -> Cluster | None:
    """The cluster meant, where the domain lets none send for certain."""
    if not verdicts or any(one.result in (Outcome.PASS, NOT_CHECKED) for one in verdicts):
        return None
    known = {cluster.name: cluster for cluster in clusters}
    return known.get(env.config.default_cluster) or next(iter(known.values()))
