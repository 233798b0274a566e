"""What takes a rendered file up: how each service proves a file beforehand, and how it comes to use it.

Commands are the same under systemd and in a container without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """How a host takes a file up.

    ``check`` is a command that ends with 0 when the file may be taken up, ``{file}`` standing for the
    file; ``take_up`` makes the service use what lies at its place, and ends with 0 when it does.
    """

    check: tuple[str, ...]
    take_up: tuple[str, ...]


EXIM, NFTABLES, ADDRESSES = "exim", "nftables", "addresses"
ADDRESSES_SCRIPT = "/etc/network/if-up.d/eymail-addresses"

# SIGHUP to the daemon, and then its new ear on port 25 is waited for: that is how to know that it has read
# the file. Debian's own script is of no use for that: it looks for the process by its executable, which root
# may not see of a set-uid program in a container, finds none, and is content. A daemon without an ear could
# not bind with the file it has read, and goes on trying, deaf to SIGHUP: another takes its place. No daemon
# at all: it will read the file when it starts.
_EXIM_TAKES_UP = """\
ear() { awk '$2 ~ /:0019$/ && $4 == "0A" {print $10}' /proc/net/tcp /proc/net/tcp6 2>/dev/null || true; }
lives() { [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = exim4 ]; }
pid=$(cat /run/exim4/exim.pid 2>/dev/null || true)
before=$(ear)
if [ -n "$before" ]; then
    lives && kill -HUP "$pid" || exit 1
elif lives; then
    kill "$pid"
    for _ in $(seq 30); do lives || break; sleep 0.1; done
    service exim4 start >/dev/null 2>&1
else
    exit 0
fi
for _ in $(seq 30); do
    now=$(ear)
    [ -z "$now" ] || [ "$now" = "$before" ] || exit 0
    sleep 0.2
done
echo "Exim did not come back within 6 seconds" >&2
exit 1
"""

# Exim's -bV reads the whole file and refuses a setting or a driver that it does not know; what an expansion
# comes to it cannot know. nft changes its rules in one transaction: no packet meets half of them.
SERVICES: Mapping[str, Service] = {
    EXIM: Service(("exim4", "-C", "{file}", "-bV"), ("sh", "-c", _EXIM_TAKES_UP)),
    NFTABLES: Service(("nft", "--check", "--file", "{file}"), ("nft", "--file", "/etc/nftables.conf")),
    ADDRESSES: Service(("sh", "-n", "{file}"), (ADDRESSES_SCRIPT,)),
}
