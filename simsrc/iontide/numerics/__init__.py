"""Numerical methods that know nothing of membranes: roots, sparse linear algebra, periods."""
