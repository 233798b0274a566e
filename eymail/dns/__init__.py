"""The DNS, asked by dnspython: typed answers, one deadline, nothing trusted to be well formed."""
