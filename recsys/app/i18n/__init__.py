"""The languages of the app."""
