"""Load: viewers, transactions and objects that a system serves while one looks at it."""
