"""Who is in, in which windows, with which outcomes."""
