"""Mail services as a client meets them: IMAP, POP3 and SMTP, tried step by step."""
