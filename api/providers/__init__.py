"""The identity providers of an organisation, and who manages them."""
