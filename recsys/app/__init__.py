"""The Streamlit pages: they show what the library gives and hold no logic of their own. One file a page."""
