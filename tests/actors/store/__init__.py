"""The store's tests: each kind of row through whole transactions, and the file through trio, kills and a full disk."""
