"""`fairlead`: the command line. Its libraries come with the extra `cli`."""

import sys

_EXTRA = ("rich", "typer")


def main() -> None:
    try:
        from fairlead.cli.app import run  # noqa: PLC0415 - the SDK is complete without it
    except ModuleNotFoundError as missing:
        if missing.name not in _EXTRA:
            raise
        sys.exit(f"fairlead: the command line needs {missing.name}: pip install 'fairlead[cli]'")
    sys.exit(run())


if __name__ == "__main__":
    main()
