"""The store: the only owner of the database. Everything that must outlive a crash is a row here."""
