"""The test suite; a package, so that tests can import the oracles as ``tests.oracles``."""
