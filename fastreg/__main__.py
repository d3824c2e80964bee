import sys

from fastreg.report.cli import main

if __name__ == "__main__":
    sys.exit(main())
