"""`python -m martello` is the command `martello`."""

import sys

from martello.cli import main

sys.exit(main())
