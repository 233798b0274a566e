"""A program that runs in the gateway's network and waits until every service of the lab answers.

Standard input holds JSON: [[host, address, port, greeting], ...]. Each host's name is printed once all
its services answered. Exit code 1 after the deadline (argument 1, seconds), the unready on stderr.
It needs the standard library alone, for it is started by path.
"""

from __future__ import annotations

import asyncio
import json
import sys

# Query for the root's SOA: id 1, recursion desired (RFC 1035 section 4.1).
_DNS_QUERY = bytes.fromhex("0001010000010000000000000000060001")
_ATTEMPT = 1.0
_PAUSE = 0.05


async def _greets(address: str, port: int, greeting: str) -> bool:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return not greeting or (await reader.read(len(greeting))).decode("latin-1") == greeting
    finally:
        writer.close()


async def _answers_dns(address: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(len(_DNS_QUERY).to_bytes(2, "big") + _DNS_QUERY)
        answer = await reader.readexactly(2 + 12)
        no_error = answer[5] & 0x0F == 0
        return no_error and int.from_bytes(answer[8:10], "big") > 0
    finally:
        writer.close()


async def _wait_for(address: str, port: int, greeting: str) -> None:
    while True:
        probe = _answers_dns(address, port) if greeting == "dns" else _greets(address, port, greeting)
        try:
            if await asyncio.wait_for(probe, _ATTEMPT):
                return
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        await asyncio.sleep(_PAUSE)


async def _host(name: str, checks: list[tuple[str, int, str]]) -> str:
    await asyncio.gather(*(_wait_for(*check) for check in checks))
    return name


async def main(deadline: float) -> int:
    """Print each host when it is ready; 0 when all are, 1 when the deadline passed before."""
    hosts: dict[str, list[tuple[str, int, str]]] = {}
    for name, address, port, greeting in json.load(sys.stdin):
        hosts.setdefault(name, []).append((address, port, greeting))
    tasks = {asyncio.create_task(_host(name, checks)): name for name, checks in hosts.items()}
    try:
        for done in asyncio.as_completed(tasks, timeout=deadline):
            print(await done, flush=True)  # noqa: T201 (a program of its own: this is its answer)
    except TimeoutError:
        sys.stderr.write(" ".join(name for task, name in tasks.items() if not task.done()))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(float(sys.argv[1]))))
