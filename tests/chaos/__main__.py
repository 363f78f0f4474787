"""`python -m tests.chaos`: a chaos run, for `make chaos`."""

import argparse
import random
import signal
import sys
from pathlib import Path

from devcluster.errors import DevclusterError
from tests.chaos.run import Plan, Store, fresh, run
from tests.chaos.storage import is_there

_FOLDER = Path(".run") / "chaos"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # in good order: a disk is to be unmounted
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the sequence of faults")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long there are faults (5)")
    parser.add_argument("--dependencies", type=int, default=100, help="how many there are (100)")
    parser.add_argument("--versions", type=int, help="of each contract (about three a minute)")
    parser.add_argument("--store", choices=("configmap", "s3"), help="where blobs are (s3 where the seed is odd)")
    options = parser.parse_args()
    versions = options.versions or max(3, round(3 * options.minutes))
    store: Store = options.store or ("s3" if options.seed % 2 else "configmap")
    if store == "s3" and not is_there():
        print("Blobs are in ConfigMaps: the S3 server isn't built (make objectserver)")
        store = "configmap"
    # Twice as long as need be, for on a busy machine a process can be late to renew its Lease.
    plan = Plan(
        seed=options.seed,
        storm=options.minutes * 60,
        dependencies=options.dependencies,
        versions=versions,
        heartbeat=1.5,
        lease=6,
        settle=300,
        store=store,
    )
    folder = (_FOLDER / f"seed-{options.seed}").absolute()
    what = f"SEED={options.seed} MINUTES={options.minutes:g} DEPENDENCIES={options.dependencies} STORE={store}"
    print(f"make chaos {what}")
    try:
        verdict = run(plan, fresh(folder), say=lambda text: print(text, flush=True))
    except DevclusterError as error:
        print(f"The run itself failed: {error}\nLogs: {folder}")
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted; all that the run started has been ended. Logs: {folder}")
        return 130
    print("\n".join(verdict.lines))
    if not verdict.complaints:
        print("No difference to an undisturbed run.")
        return 0
    print(f"\n{len(verdict.complaints)} complaints:")
    print("\n".join(f"- {complaint}" for complaint in verdict.complaints))
    print(f"\nAgain: make chaos {what}")
    print(f"Logs and objects: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
