"""eymail's SPF results beside those of implementations that others wrote, on zones made here."""
