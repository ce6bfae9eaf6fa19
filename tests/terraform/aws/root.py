"""The root terraform/aws, and packages for its functions."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from account import REGION
from checks import check

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]


class Root:
    """A copy of the repository's Terraform, with the override file beside the root and nothing else changed."""

    def __init__(self, work, moto, plugin_dirs):
        self.dir = work / "terraform" / "aws"
        hidden = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(REPOSITORY / "terraform", work / "terraform", ignore=hidden)
        shutil.copytree(REPOSITORY / "functions", work / "functions", ignore=shutil.ignore_patterns("src", "target"))
        shutil.copytree(REPOSITORY / "events/schemas", work / "events/schemas")
        shutil.copy(HERE / "moto_override.tf", self.dir)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self.environment = inherited | {
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TF_IN_AUTOMATION": "1",
        }
        self.variables = {}
        self.run("init", *(f"-plugin-dir={directory}" for directory in plugin_dirs), variables=False)

    def run(self, command, *arguments, variables=True, may_fail=False):
        if variables:
            (self.dir / "test.auto.tfvars.json").write_text(json.dumps(self.variables))
        done = subprocess.run(
            ["terraform", command, "-no-color", "-input=false", *arguments],
            cwd=self.dir, env=self.environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        if done.returncode != 0 and not may_fail:
            print(done.stdout[-3000:], done.stderr, file=sys.stderr, flush=True)
        return done

    def apply(self, what):
        return check(f"{what}: apply", self.run("apply", "-auto-approve").returncode == 0)

    def second_plan_is_empty(self, what):
        plan = self.run("plan", "-detailed-exitcode", may_fail=True)
        progress = re.compile(r".*: (Refreshing state|Reading|Read complete|Still reading).*")
        changes = "\n".join(line for line in plan.stdout.splitlines() if not progress.fullmatch(line))
        return check(f"{what}: the second plan is empty", plan.returncode == 0, changes + plan.stderr)

    def destroy(self, what):
        if not check(f"{what}: destroy", self.run("destroy", "-auto-approve").returncode == 0):
            return
        left = self.ask("state", "list")
        check(f"{what}: nothing is left in the state", left.strip() == "", left)

    def outputs(self):
        return {name: output["value"] for name, output in json.loads(self.ask("output", "-json")).items()}

    def ask(self, *arguments):
        asked = ["terraform", *arguments]
        return subprocess.run(asked, cwd=self.dir, env=self.environment, capture_output=True, text=True, check=True).stdout


def package(path):
    """A zip where `cargo lambda build` would have left one. Nobody runs it here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bootstrap", "#!/bin/sh\nexit 1\n")
    return path
