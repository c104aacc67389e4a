"""Effects with their uncertainty, and the checks beside them."""
