"""`python -m recsys` runs the command line."""

from recsys.cli.main import main

if __name__ == "__main__":
    main()
