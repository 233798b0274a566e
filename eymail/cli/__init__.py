"""The click tree: one file a noun; a command parses, calls an operation, shows its result."""
