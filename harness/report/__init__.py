"""The run record, and the reports written from it."""
