"""`python engine-launcher …`: starts vLLM, with what an earlier start has imported already there."""

import sys

from crosslogic_launcher import recorder
from crosslogic_launcher.command import main

if __name__ == "__main__":
    # Children of vLLM's that are spawned run this file under another name; without a spec they find it by its path.
    __spec__ = None
    sys.exit(main(sys.argv[1:]))
elif __name__ == "__mp_main__":
    recorder.resume()
