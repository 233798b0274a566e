"""Source addresses: listed, dedicated to a customer's domain, taken back, and proved from outside."""
