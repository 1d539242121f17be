"""Rules for the table ``[sweep]``."""
