"""Finds literature: in three public services, in a cache of their answers, and in the shipped library."""
