"""Read, describe, check and simulate raw tables."""
