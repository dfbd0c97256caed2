"""Writing what was found: figures and self-contained HTML pages."""
