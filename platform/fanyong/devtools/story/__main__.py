"""`python -m fanyong.devtools.story [--json] FILE...`: play story files."""

from __future__ import annotations

import sys

from fanyong.devtools.story.cli import main

sys.exit(main(sys.argv[1:]))
