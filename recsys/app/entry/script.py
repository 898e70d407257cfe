"""Draws the app: Streamlit runs this file on every interaction."""

from recsys.app.main import main

if __name__ == "__main__":
    main()
