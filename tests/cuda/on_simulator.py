"""Run the cases on Numba's simulator and write their results: a process of its own, for the simulator is chosen at import.

NUMBA_ENABLE_CUDASIM=1 python -m tests.cuda.on_simulator OUT.pickle
"""

import pickle
import sys
from pathlib import Path

import optlab as ol
from tests.cuda.cases import CASES, options_of
from tests.cuda.quick_blocks import quick

if __name__ == "__main__":
    with quick():
        found = {name: ol.simulate(**options_of(name), backend="cuda") for name in CASES}
    Path(sys.argv[1]).write_bytes(pickle.dumps({name: run.to_dict() for name, run in found.items()}))
