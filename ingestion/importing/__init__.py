"""History in files: CSV, JSON lines, Parquet and other products' exports, around the spool into the same tables.

`readers` cuts a file into rows, a mapping (`own_mapping` or one of `exports`) brings each row to an event, `run` judges
blocks of them by the rules that hold for every event and lands them, and `ledger` remembers how far a file is.
"""
