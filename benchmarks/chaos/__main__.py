"""python -m benchmarks.chaos --seed N --faults M: random faults, and what must hold after each.

After a fault the next cell works within a minute or says in one line what to type; what had been
made is there with its checksums; nothing of the foreground is left; no raw traceback was shown.
Root on Linux. Ends with status 1 and the broken promises where there are any.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.chaos import faults
from benchmarks.chaos.cells import CELLS, NEXT
from benchmarks.chaos.faults import Fault, possible
from benchmarks.chaos.kernel import Cell
from benchmarks.chaos.worlds import World, world

#: How often something more is made that must be kept (rounds).
_MORE = 8
#: The most that is kept: each is looked at after each fault.
_MOST = 12


@dataclass
class Round:
    """One fault and what came of it. broken: the promises that did not hold.

    seconds: how long the next cell took. whole: how long the round took, with all its checks.
    struck: False where there was nothing to strike (no vagrant in a cell that reads a file).
    """

    number: int
    world: str
    fault: str
    cell: str
    outcome: str
    seconds: float
    whole: float
    struck: bool = True
    told: bool = False
    broken: list[str] = field(default_factory=list)
    #: The errors that the cells showed: what a reader would have seen, to be read by one.
    said: list[str] = field(default_factory=list)


def main() -> int:
    """The campaign."""
    parser = argparse.ArgumentParser("python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--faults", type=int, default=10, help="how many (default: 10)")
    parser.add_argument(
        "--worlds", nargs="+", default=["embedded", "docker", "machine"], help="which engines"
    )
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds that the next cell may take (default: 60)"
    )
    parser.add_argument(
        "--still", type=float, default=faults.STILL, help="seconds that SIGSTOP lasts (default: 20)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/chaos.json"))
    args = parser.parse_args()
    faults.STILL = args.still
    chance = random.Random(args.seed)
    print(f"seed {args.seed}, {args.faults} faults in {', '.join(args.worlds)}", flush=True)
    rounds = list(campaign(args, chance))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(
        json.dumps({"seed": args.seed, "rounds": [asdict(r) for r in rounds]}, indent=1) + "\n"
    )
    return report(rounds)


def campaign(args: argparse.Namespace, chance: random.Random) -> Iterator[Round]:
    """The worlds take turns, so that each fault meets what others have left."""
    with ExitStack() as after:
        places = [after.enter_context(world(name, chance)) for name in args.worlds]
        for place in places:
            for cell in (
                place.keep_a_machine() if place.name == "machine" else place.keep_something()
            ):
                if cell.status != "ok":
                    sys.exit(f"{place.name}: nothing could be made: {cell.code}\n{cell.trace}")
        for number in range(1, args.faults + 1):
            place = places[number % len(places)]
            choice = [f for f in possible(place.name) if args.only in f.name]
            if not choice:
                continue
            done = one(number, place, chance.choice(choice), args.limit)
            line = (
                f"{number:4} {done.world:9} {done.fault:32} {done.outcome:7} "
                f"{done.seconds:6.1f} s of {done.whole:4.0f}"
            )
            if not done.struck:
                line += " (struck nothing)"
            print(line + "".join(f"\n     ✘ {b}" for b in done.broken), flush=True)
            yield done


def one(number: int, place: World, fault: Fault, limit: float) -> Round:
    """One fault, and all that is looked at after it."""
    chance, first = place.chance, time.monotonic()
    kind = "machine" if place.name == "machine" else "engine"
    code = chance.choice([c for c in CELLS[kind] if re.search(fault.cells, c)])
    code = code.replace("NAME", f"c{number}")
    broken: list[str] = []
    kernel = place.kernel()
    if not fault.between:
        kernel.begin(code)
        time.sleep(chance.uniform(0, 3))
    with fault.strike(place) as struck:
        # What was running ends by itself, or with an error: while the fault lasts, or after it.
        if fault.between:
            code, hit = "", Cell("", status="ok")
            during = place.kernel().run(NEXT[kind])
            broken += _shown(during, "during the fault")
        else:
            hit = kernel.end()
            broken += _shown(hit, "the cell that it struck")
    said = [hit.trace] if hit.trace else []
    begun = time.monotonic()
    cell = place.kernel().run(NEXT[kind])
    told = False
    if cell.status == "error" and cell.says_what_to_type:
        told = True
        said.append(cell.trace)
        broken += _shown(cell, "the next cell")
        for typed in _to_type(cell):
            place.kernel().run(typed)
        cell = place.kernel().run(NEXT[kind])
    seconds = time.monotonic() - begun
    if cell.status != "ok" or "alive" not in cell.text:
        broken.append(f"the next cell: {cell.status}: {cell.error or cell.text[-200:]}")
    elif seconds > limit:
        broken.append(f"the next cell took {seconds:.0f} s")
    broken += [f"lost: {thing}" for thing in place.lost()]
    broken += _left(place, kind)
    if number % _MORE == 0 and kind == "engine" and len(place.kept) < _MOST:
        broken += [f"{c.code}: {c.error}" for c in place.keep_something() if c.status != "ok"]
    whole = time.monotonic() - first
    return Round(
        number, place.name, fault.name, code, hit.status, seconds, whole, struck, told, broken, said
    )


def _shown(cell: Cell, which: str) -> list[str]:
    """What a reader must never see."""
    if cell.status == "hangs":
        return [f"{which} hangs: {cell.code}"]
    if cell.raw_traceback:
        return [f"{which} shows a raw traceback: {cell.trace[-600:]}"]
    return []


def _to_type(cell: Cell) -> list[str]:
    """The first magic that an error's hint names; what would throw things away is not typed."""
    hint = cell.trace.partition("→")[2]
    found = re.findall(r"%(?:engine|container|vagrant)(?: [a-z-]+)+", hint)
    return [line for line in found if "reset" not in line and "destroy" not in line][:1]


def _left(place: World, kind: str) -> list[str]:
    """Foreground containers and processes of kernels that have ended."""
    found = place.strays()
    if kind == "engine":
        cell = place.kernel().run(
            "%container ps --filter label=course-magics.owner --format '{{.Names}} {{.Status}}'"
        )
        found += [line for line in cell.text.splitlines() if " Up" in line]
    return [f"left: {thing}" for thing in found]


def report(rounds: list[Round]) -> int:
    """The figures, by fault."""
    print()
    count = Counter(r.fault for r in rounds)
    for name in sorted(count):
        mine = [r for r in rounds if r.fault == name]
        worst = max(r.seconds for r in mine)
        told = sum(r.told for r in mine)
        bad = sum(bool(r.broken) for r in mine)
        struck = sum(r.struck for r in mine)
        print(
            f"{name:32} {len(mine):4} times, {struck} struck, next cell at most {worst:5.1f} s, "
            f"{told} told, {bad} broken"
        )
    bad = sum(bool(r.broken) for r in rounds)
    struck = sum(r.struck for r in rounds)
    print(f"\n{len(rounds)} faults, {struck} of them struck, {bad} with a broken promise")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
