"""The DNS, asked with dnspython's messages: typed answers, one deadline, nothing trusted to be well formed.

``servers`` says who is asked, ``exchange`` asks one of them one question, ``lookup`` is the resolver
that everything else uses, ``answers`` are what it gives, ``spf`` reads SPF records; each needs only
those before it.
"""
