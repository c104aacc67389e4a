"""Comparable persons: matching, weighting, balance."""
