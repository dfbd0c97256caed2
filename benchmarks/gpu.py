"""All that wants a CUDA device, in under ten minutes: its tests, then ensembles, then training; each part has a time of its own.

    python -m benchmarks.gpu [--seconds 570]

A part that finds no device says so in one line. Exit code 0: all passed and was measured; 1: something failed or took too long;
2: no device.
"""

import argparse
import signal
import subprocess
import sys

#: name, arguments of Python, share of the time. Tests compile on four processes; results go to benchmarks/results/
PARTS = (
    ("tests", ["-m", "pytest", "-m", "gpu", "tests/cuda", "-n", "4"], 0.42),
    ("ensembles", ["-m", "benchmarks.cuda", "--quick"], 0.26),
    ("training", ["-m", "benchmarks.cuda_training", "--quick"], 0.32),
)


def run(name, arguments, seconds):
    """The exit code of a part; 1 if it took longer than it may."""
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"benchmarks.gpu: {name}: stopped after {seconds:.0f} s: run python {' '.join(arguments)} by itself", file=sys.stderr)
        process.send_signal(signal.SIGINT)  # as Ctrl-C: workers end with it, files are written whole or not at all
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=570.0, help="of all parts together, at most")
    options = parser.parse_args()
    codes = {}
    for name, arguments, share in PARTS:
        seconds = share * options.seconds
        more = ["--seconds", f"{0.8 * seconds:.0f}"] if name == "ensembles" else []
        codes[name] = run(name, [*arguments, *more], seconds)
    return max(codes.values(), key=lambda code: (code == 1, code not in (0, 2), code == 2)) if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
