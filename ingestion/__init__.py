"""The collector: from a client's request to rows in ClickHouse, without loss and without doubles."""
