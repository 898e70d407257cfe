"""Pictures: arrays in, Plotly figures and pages out. Nothing here knows Streamlit, files or how a number was found."""
