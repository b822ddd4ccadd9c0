"""``python -m fnormal``: the command line where its script is not on the path."""

from fnormal.cli.app import app

if __name__ == "__main__":  # dask's workers import this file again
    app(prog_name="fnormal")
