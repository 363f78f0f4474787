"""Comparing schemas: one file for each area of keywords, over a graph of pairs in which each pair is compared once."""
