"""Streamlit components: the map, the search box, stars, storage in the browser."""
