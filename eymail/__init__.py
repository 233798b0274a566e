"""eymail administers the e-mail of clusters: relays, mail hosts, addresses, DNS."""

__version__ = "0.1.0"
