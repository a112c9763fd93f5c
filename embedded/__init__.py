"""PostgreSQL and Valkey from the Python packages, for `make demo` and `make test` on a machine that has neither.

Never used in production, and free of Django: what is started here is reached through DATABASE_URL and REDIS_URL like
any other server.
"""
