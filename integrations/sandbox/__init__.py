"""Stand-ins: local servers that behave like the providers, for the demo, the tests and benchmarks.

Never used in production unless somebody starts one and points `…_API_BASE` at it.
"""
