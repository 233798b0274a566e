"""Which addresses mail comes from, and what SPF records say of them: clusters, domains, clients."""
