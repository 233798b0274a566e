"""A cluster's configuration: what every host's files are, made from the inventory."""
