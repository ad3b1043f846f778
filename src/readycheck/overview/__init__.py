"""A profile for people: the vendor's page as it could be, and tables for a terminal. Pure."""
