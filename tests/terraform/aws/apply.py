#!/usr/bin/env python3
"""Applies the unmodified root terraform/aws to a moto server on loopback: apply, an empty second plan, destroy.

    apply.py [--plugin-dir DIR]... [SCENARIO...]

Scenarios, all unless named:
  plain      as a person applies it, -var site=… and packages from a directory; what is left when footage is in the bucket
  elaborate  every choice at once: an existing bucket, packages in S3, KMS, IoT, archive, a table of records, a function triggered by
             records
  added      directories with a function.yaml of every kind of trigger are added, and nothing else; one is an image that has to be
             asked for, one is that of the guide in functions/README.md; they are taken out again
  catalogue  the catalogue is on, which is one variable: its database, its network, the functions that fill it and answer from it; what
             keeps it from being destroyed; and a database that is there already

Ends with `N passed, N failed, N skipped`. What moto cannot do is said where it is passed over.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import checks
from scenarios.added import added
from scenarios.catalogue import catalogue
from scenarios.elaborate import elaborate
from scenarios.plain import plain

SCENARIOS = {"plain": plain, "elaborate": elaborate, "added": added, "catalogue": catalogue}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugin-dir", action="append", default=[], help="where the AWS provider is, as for terraform init")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    arguments = parser.parse_args()
    for name in arguments.scenarios or SCENARIOS:
        with tempfile.TemporaryDirectory(prefix="framepost-terraform-") as work:
            print(f"-- {name}", flush=True)
            SCENARIOS[name](Path(work), arguments.plugin_dir)
    print(f"{checks.passed} passed, {checks.failed} failed, 0 skipped")
    return 1 if checks.failed else 0


sys.exit(main())
