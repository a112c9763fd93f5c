"""Importing participants from a file: upload, columns, preview, progress, what came of it, undo."""
