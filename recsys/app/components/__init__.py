"""Streamlit components: the map, the search box, stars, browser storage."""
