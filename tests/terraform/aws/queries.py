#!/usr/bin/env python3
"""Runs Athena's saved queries over the samples of records in Trino, the engine that Athena is made of.

    ~/.cache/framepost/venv/bin/python tests/terraform/aws/queries.py --server http://127.0.0.1:8080 --files DIR

`tests/terraform/run setup` makes that environment. The server is yours to start: it takes 800 MB and Java 24 or newer, so no
test does. Its catalog `hive` needs

    connector.name=hive
    hive.metastore=file
    hive.metastore.catalog.dir=local:///metastore
    fs.native-local.enabled=true
    local.location=DIR
    hive.non-managed-table-writes-enabled=true

As behind Firehose, JSON lines are read by the OpenX SerDe, with the columns of events/schemas/glue/records.json, and written
as Parquet by day. Each record is there twice. What is expected is what BigQuery's views of the same names give.

The last line is `N passed, N failed`.
"""

import argparse
import datetime
import json
import re
import sys
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tests/terraform/gcp"))
from views import EXPECTED, SAMPLES  # noqa: E402

QUERIES = ROOT / "terraform/modules/aws/analytics/queries"
SCHEMA = json.loads((ROOT / "events/schemas/glue/records.json").read_text())
TYPES = {"string": "VARCHAR", "bigint": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN"}


def column_type(text):
    """Returns a type of Hive as Trino writes it."""

    def read(rest):
        if rest.startswith("array<"):
            one, rest = read(rest.removeprefix("array<"))
            return f"ARRAY({one})", rest.removeprefix(">")
        if rest.startswith("struct<"):
            members = []
            rest = rest.removeprefix("struct<")
            while not rest.startswith(">"):
                name, rest = rest.removeprefix(",").split(":", 1)
                one, rest = read(rest)
                members.append(f'"{name}" {one}')
            return f"ROW({', '.join(members)})", rest.removeprefix(">")
        name = re.match(r"\w+", rest)[0]
        return TYPES[name], rest.removeprefix(name)

    found, rest = read(text)
    assert rest == "", f"{text}: cannot read {rest}"
    return found


class Trino:
    """A schema of its own in a server's catalog `hive`."""

    def __init__(self, server, files):
        self.server = server
        self.files = files
        self.schema = f"framepost_{uuid.uuid4().hex}"
        self.ask(f"CREATE SCHEMA hive.{self.schema}")

    def ask(self, sql):
        """Returns the names of the columns, and the rows."""
        headers = {"X-Trino-User": "framepost", "X-Trino-Catalog": "hive", "X-Trino-Schema": self.schema, "X-Trino-Time-Zone": "UTC"}
        request = urllib.request.Request(f"{self.server}/v1/statement", data=sql.encode(), headers=headers)
        columns = []
        rows = []
        while True:
            with urllib.request.urlopen(request) as response:
                answer = json.load(response)
            assert "error" not in answer, f"{answer['error']['message']}\n{sql}"
            columns = answer.get("columns", columns)
            rows += answer.get("data", [])
            if "nextUri" not in answer:
                return [column["name"] for column in columns], rows
            request = answer["nextUri"]

    def table_of(self, records):
        """Makes a table in Parquet in which each of the records is twice, and returns its name."""
        name = f"records_{uuid.uuid4().hex}"
        day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        lines = self.files / f"{self.schema}-{name}"
        (lines / f"day={day}").mkdir(parents=True)
        (lines / f"day={day}" / "records.json").write_text("".join(json.dumps(record) + "\n" for record in records * 2))
        columns = ", ".join(f'"{column["name"]}" {column_type(column["type"])}' for column in SCHEMA)
        self.ask(
            f"CREATE TABLE {name}_lines ({columns}, day VARCHAR) WITH (format = 'OPENX_JSON', "
            f"external_location = 'local:///{lines.name}', partitioned_by = ARRAY['day'])"
        )
        self.ask(f"CALL hive.system.sync_partition_metadata('{self.schema}', '{name}_lines', 'ADD')")
        self.ask(f"CREATE TABLE {name} WITH (format = 'PARQUET', partitioned_by = ARRAY['day']) AS SELECT * FROM {name}_lines")
        return f'"{self.schema}"."{name}"'


def as_athena_says(row):
    """A row of a view of BigQuery: names in lower case, times to the millisecond."""
    said = {name.lower(): value for name, value in row.items()}
    for name, value in said.items():
        if isinstance(value, datetime.datetime):
            said[name] = value.replace(microsecond=value.microsecond // 1000 * 1000)
    return said


def value_of(name, value):
    """A value of an answer. The members of a camera's report are as they were published, so its time is text."""
    if isinstance(value, str) and re.fullmatch(r"[-0-9]{10} [:0-9]{8}(\.\d+)? UTC", value):
        return datetime.datetime.fromisoformat(value.removesuffix(" UTC"))
    if name == "lastframe":
        return datetime.datetime.fromisoformat(value.removesuffix("Z"))
    return value


def judge(trino, query, samples, table):
    names, rows = trino.ask((QUERIES / f"{query}.sql").read_text().replace("${records}", table))
    assert len(set(names)) == len(names), f"columns of one name: {names}"
    found = [{name: value_of(name, value) for name, value in zip(names, row) if value is not None} for row in rows]
    expected = [as_athena_says(row) for sample in samples for row in EXPECTED[query].get(sample, [])]

    def order(row):
        return row["key"] if "key" in row else "", row.get("camera", ""), row.get("label", "")

    assert sorted(found, key=order) == sorted(expected, key=order), f"\n  found    {found}\n  expected {expected}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="the URL of a Trino server")
    parser.add_argument("--files", required=True, type=Path, help="the directory that its local.location names")
    arguments = parser.parse_args()
    trino = Trino(arguments.server.rstrip("/"), arguments.files)
    samples = {path.stem: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))}
    # Two samples of gaps have one id, as no two records have.
    apart = ["gap-recorded-damaged"]
    sets = [[name for name in samples if name not in apart], apart]
    failed = 0
    passed = 0
    for names in sets:
        table = trino.table_of([samples[name] for name in names])
        for query in sorted(path.stem for path in QUERIES.glob("*.sql")):
            try:
                judge(trino, query, names, table)
                passed += 1
                print(f"ok      the query {query} over {len(names)} samples")
            except AssertionError as error:
                failed += 1
                print(f"FAILED  the query {query} over {len(names)} samples: {error}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
