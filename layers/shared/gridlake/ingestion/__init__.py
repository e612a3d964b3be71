"""From a published file to trusted rows: detect, read, standardise, check, write.

Nothing heavy is imported here: the ledger and the router are used where pandas and pyarrow are absent.
"""
