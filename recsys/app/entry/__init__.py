"""The script that Streamlit runs, alone in its folder.

Streamlit treats a folder `pages` next to its script as pages of a multipage app; on a fresh server a link to any page
of ours then opens with "Page not found".
"""
