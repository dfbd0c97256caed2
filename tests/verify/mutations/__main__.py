"""``python -m tests.verify.mutations``: run the catalogue, and what is correct over 200 seeds, and write docs/mutations.md."""

import sys
import time
from pathlib import Path

from optlab.errors import CheckFailed
from tests.verify.mutations.catalogue import CORRECT, MUTATIONS

DOCS = Path(__file__).parents[3] / "docs" / "mutations.md"
SEEDS = 200


def cell(text):
    return text.replace("|", "\\|")


def row(mutation, yes):
    function = mutation.function + (f" ({mutation.peer})" if mutation.peer else "")
    return f"| {cell(mutation.bug)} | {function} | {'yes' if yes else 'no'} | {cell(mutation.named)} |"


def caught(mutation):
    try:
        mutation.check(0)
    except CheckFailed as error:
        return mutation.named in str(error)
    return False


def false_alarms(correct):
    alarms = 0
    for seed in range(SEEDS):
        try:
            correct.check(seed)
        except CheckFailed as error:
            alarms += 1
            print(f"{correct.what}, seed {seed}: {error}", file=sys.stderr)
    return alarms


def main():
    began = time.perf_counter()
    rows, found = [], 0
    for mutation in MUTATIONS:
        yes = caught(mutation)
        found += yes
        rows.append(row(mutation, yes))
    alarms = []
    for correct in CORRECT:
        print(correct.what, file=sys.stderr)
        alarms.append(f"| {correct.what} | {correct.function} | {false_alarms(correct)} |")
    total = sum(int(line.split("|")[3]) for line in alarms)
    text = f"""# Mutations

Each row is a bug that someone could have written (many were, in public), run through the public function. *Caught* means that it raises and
that its message holds the words of the last column. Written by `python -m tests.verify.mutations`; the code is in tests/verify/mutations/.

{found} of {len(MUTATIONS)} bugs are caught and named. What is correct raises {total} false alarms, over {SEEDS} seeds
for each of {len(CORRECT)} cases.

| bug | function | caught | the message says |
|---|---|---|---|
{chr(10).join(rows)}

## What is correct

| what | function | false alarms over {SEEDS} seeds |
|---|---|---|
{chr(10).join(alarms)}
"""
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text(text, encoding="utf-8")
    print(f"{found} of {len(MUTATIONS)} caught, {total} false alarms, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
