"""``python -m gridlake_cli``."""

from gridlake_cli.main import run

if __name__ == "__main__":
    run()
