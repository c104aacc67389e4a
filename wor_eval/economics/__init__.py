"""Costs beside effects: is it worth it, for whom, and who pays."""
