"""The JSON of api.md, one module a resource: rows in, plain dictionaries out, no queries of their own.

Whoever calls them has loaded what they read (the selectors' `select_related`), so that a list costs a number of queries
that doesn't grow with its rows.
"""
