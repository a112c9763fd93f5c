"""Code for tenants: each file verifies our signature in one language, with nothing but its standard library."""
