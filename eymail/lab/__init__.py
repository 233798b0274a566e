"""A whole cluster on this machine: every host a Podman container, two networks, a world outside.

The cluster's hosts are configured by what ``eymail cluster render`` makes from the lab's
inventory; only the outside (name servers, resolver, remote hosts, the provider) is the lab's own.
"""
