"""How the schema came to be what it is: one Alembic revision a file in ``versions``."""
