"""What leaves: results, tables, figures, rendered reports."""
