"""``python -m sklearn_music`` is the command ``sklearn-music``."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
