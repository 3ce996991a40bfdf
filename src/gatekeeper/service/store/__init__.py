"""Tables, transactions and migrations."""
