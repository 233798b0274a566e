"""SPF as RFC 7208 has it: records, macros, check_host(), the tree that a record spans, and its flat form.

Nothing here asks the DNS: what has to be known is a Question, what came back a Reply, and ``run`` alone
brings the two together, so every rule can be tried without a name server.
"""
