"""Ranked lists, the reasons for them, steering, re-ranking and comparison."""
