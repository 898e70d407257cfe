"""Pictures: arrays in, Plotly figures and pages out. No Streamlit, no I/O, no computation of results."""
