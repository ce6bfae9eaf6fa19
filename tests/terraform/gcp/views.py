#!/usr/bin/env python3
"""Runs BigQuery's views over the samples of records, in DuckDB, which sqlglot translates them for.

The table has the columns of events/schemas/bigquery/records.json, and each record twice, as Pub/Sub may write it. What is
expected was read off the samples by a person. DuckDB allows more than BigQuery does, so what that refuses is looked for in
the text: names that are keywords, and columns of one name.

The last line is `N passed, N failed`.
"""

import datetime
import json
import re
import sys
import tempfile
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.dialects.bigquery import BigQuery

ROOT = Path(__file__).parents[3]
VIEWS = ROOT / "terraform/modules/gcp/records/views"
SAMPLES = ROOT / "events/samples/records"
SCHEMA = json.loads((ROOT / "events/schemas/bigquery/records.json").read_text())
TYPES = {"STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMP", "INTEGER": "BIGINT", "FLOAT": "DOUBLE", "BOOLEAN": "BOOLEAN"}

KEY = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4"
GAP = "plant-7/2026-11-20/gate/15/08-26.550000Z.0.mp4_gap"
REPORT = "plant-7/reports/2026-11-20/15-08-23.547000Z.report.json"


def utc(text):
    """A time of the samples' day. DuckDB without extensions has no time zones; all times here are UTC."""
    return datetime.datetime.fromisoformat("2026-11-20T" + text)


FRAME = {
    "id": "e7e245c722e36de9de13d572009ede05", "time": utc("15:08:23.547"), "site": "plant-7", "camera": "gate",
    "offset_seconds": 0.0, "detector": "onnx", "model": "yolox-nano", "model_version": "0.1.1",
    "model_digest": "d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a", "arm": "a", "bucket": "footage", "key": KEY,
}
OF_REPORT = {"id": "b60f65415092f540b45219ee4284fd26", "time": utc("15:08:24.02"), "site": "plant-7", "reported_at": utc("15:08:23.547")}
OF_GAP = {
    "id": "e3423366d5eca93bf2081ecb777ffd44", "time": utc("15:08:27.13"), "site": "plant-7", "camera": "gate",
    "from_time": utc("15:08:26.55"), "to_time": utc("15:11:02.0313"), "seconds": 155.481, "bucket": "footage", "key": GAP,
}
# By view, and by sample: each row, but for columns that are null.
EXPECTED = {
    "detections": {
        "chunk-inferred": [
            FRAME | {"label": "bicycle", "score": 0.441, "box_left": 0.05, "box_top": 0.5, "box_width": 0.2, "box_height": 0.25},
            FRAME | {"label": "person", "score": 0.913, "box_left": 0.412, "box_top": 0.208, "box_width": 0.119, "box_height": 0.557, "zones": ["dock"]},
        ],
    },
    "chunks": {
        "chunk-probed": [{
            "id": "9ad701f8cae7815005d7ad61aa34da84", "time": utc("15:08:27.13"), "site": "plant-7", "camera": "gate",
            "from_time": utc("15:08:23.547"), "to_time": utc("15:08:26.55"), "seconds": 3.003, "width": 1920, "height": 1080,
            "codec": "avc1.64001f", "frame_rate": 29.97, "container": "fmp4", "audio_codec": "mp4a.40.2", "size_bytes": 1503224,
            "media_link": "https://storage.googleapis.com/download/storage/v1/b/footage/o/plant-7%2F2026-11-20%2Fgate%2F15%2F08-23.547000Z.0.mp4?generation=1763651307123456&alt=media",
            "bucket": "footage", "key": KEY, "version": "1763651307123456.1", "starts_with_random_access": True, "init_bytes": 1208,
            "media_end": 1503140, "timescale": 90000, "activity": 3.21, "clock_source": "gateway", "clock_uncertainty_us": 900,
            "sample_entry_digest": "4f1f2b7d0c9be7c2c1bb5d7a0a2b4a6b1b3f6f7c2a2d9f5c1e0d8c7b6a594837", "clock_replaced": 12,
            "clock_rate_ppm": 840, "sha256": "8bbeef8ebb8b6e2ea1ef9b5c5e1a1c0d4c4d7a1f0f3a0a86d5f6f5b0d5b8b8c1", "content": "claimed",
            "signature": "valid", "chain_state": "linked",
        }],
        "chunk-probed-foreign": [{
            "id": "891a31b4567d091efed2f4cb842b4edd", "time": utc("15:08:27.13"), "seconds": 12.5, "width": 640, "height": 480,
            "rotation": 90, "mirrored": True, "codec": "vp09.00.30.08", "container": "webm", "size_bytes": 884736,
            "media_link": "https://footage.s3.eu-central-1.amazonaws.com/import/dock%204/visit%2B2.webm", "bucket": "footage",
            "key": "import/dock 4/visit+2.webm", "version": "0069209F3A8C41D27E00000000000000", "signature": "absent",
            "chain_state": "absent",
        }],
    },
    "gaps": {
        "gap-recorded": [OF_GAP | {"cause": "camera-lost", "detail": "connection reset by the camera", "frames_dropped": 0, "chunks_dropped": 0}],
        "gap-recorded-damaged": [OF_GAP | {
            "cause": "source-damaged", "detail": "the moof box at byte 120832 is damaged", "source_bytes_start": 120832, "source_bytes_end": 151376,
        }],
    },
    "gateways": {
        "gateway-reported": [OF_REPORT | {
            "trigger": "change", "gateway_version": "0.1.0", "uptime_seconds": 86520, "clock_synchronized": True, "clock_offset_us": 412,
            "clock_sets": 0, "disk_total_bytes": 512110190592, "disk_free_bytes": 401334116352, "spool_objects": 3, "spool_bytes": 4512672,
            "spool_oldest": utc("15:07:51.2"), "spool_oldest_age_seconds": 32, "quarantined_objects": 0, "uploaded_objects": 57682,
            "sent_bytes": 86911029248, "upload_retries": 14, "cameras_silent": 1, "signature": "valid", "key": REPORT,
            "upload_last_error": "put plant-7/2026-11-20/gate/15/02-11.547000Z.0.mp4: connection reset by peer",
        }],
    },
    "cameras": {
        "gateway-reported": [
            OF_REPORT | {
                "camera": "dock", "state": "lost", "source": "rtsp://192.168.4.21:554/h265", "frames": 0, "framesDropped": 0,
                "packetsLost": 0, "connects": 0, "gaps": 0, "chunks": 0, "waitingObjects": 0,
                "lastError": "rtsp://192.168.4.21:554/h265: connection refused",
            },
            OF_REPORT | {
                "camera": "gate", "state": "recording", "source": "rtsp://192.168.4.20:554/stream1", "lastFrame": utc("15:08:23.51"),
                "frameRate": 29.97, "bitrateKbps": 4012, "codec": "avc1.64001f", "width": 1920, "height": 1080, "frames": 2592904,
                "framesDropped": 0, "packetsLost": 12, "connects": 2, "gaps": 1, "chunks": 28841, "waitingObjects": 3,
                "lastError": "rtsp://192.168.4.20:554/stream1: no frame for 10s",
            },
        ],
    },
}


def column_type(column):
    """The type of a column in DuckDB."""
    if column["type"] == "RECORD":
        members = ", ".join(f'"{member["name"]}" {column_type(member)}' for member in column["fields"])
        one = f"STRUCT({members})"
    else:
        one = TYPES[column["type"]]
    return one + ("[]" if column["mode"] == "REPEATED" else "")


def table_of(*records):
    """A database with the table of records, in which each of these is twice."""
    database = duckdb.connect()
    columns = "{" + ", ".join(f"'{column['name']}': '{column_type(column)}'" for column in SCHEMA) + "}"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as lines:
        for record in records * 2:
            lines.write(json.dumps(record) + "\n")
        lines.flush()
        database.execute(f"CREATE TABLE records AS SELECT * FROM read_json('{lines.name}', format = 'newline_delimited', columns = {columns})")
    return database


def query_of(view):
    """The view's query, as Terraform makes it, and parsed."""
    text = (VIEWS / f"{view}.sql").read_text()
    assert re.findall(r"\$\{(\w+)\}|%\{", text) == ["records"], f"{view}: another template than of the table's name"
    return sqlglot.parse_one(text.replace("${records}", "records"), read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)


def rows_of(database, query):
    """Its rows, without nulls, by their names and in one order."""
    answer = database.execute(query.sql(dialect="duckdb"))
    names = [column[0] for column in answer.description]
    assert len(set(names)) == len(names), f"BigQuery refuses two columns of one name: {names}"
    rows = [{name: value for name, value in zip(names, row) if value is not None} for row in answer.fetchall()]
    # BigQuery has no arrays that are null in a result.
    rows = [{name: value for name, value in row.items() if value != []} for row in rows]
    return names, sorted(rows, key=lambda row: (row["key"] if "key" in row else "", row.get("camera", ""), row.get("label", "")))


def reserved(query):
    """Keywords that stand for names. BigQuery takes some of them behind a point, and quoted it takes all."""
    keywords = {word.upper() for word in BigQuery.Generator.RESERVED_KEYWORDS}
    return sorted({name.name for name in query.find_all(exp.Identifier) if name.name.upper() in keywords and not name.quoted})


def judge(view):
    query = query_of(view)
    assert not reserved(query), f"keywords that are not quoted: {reserved(query)}"
    samples = {path.stem: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))}
    unseen = None
    for sample, record in samples.items():
        names, rows = rows_of(table_of(record), query)
        expected = EXPECTED[view].get(sample, [])
        assert rows == expected, f"{sample}\n  found    {rows}\n  expected {expected}"
        seen = {name for row in rows for name in row}
        unseen = (unseen if unseen is not None else set(names)) - seen
    assert not unseen, f"no sample has anything for {sorted(unseen)}"
    # All of them in one table. Two samples of gaps have one id, as no two records have.
    both = [name for name in samples if name != "gap-recorded-damaged"]
    _, rows = rows_of(table_of(*(samples[name] for name in both)), query)
    assert len(rows) == sum(len(EXPECTED[view].get(name, [])) for name in both), f"all samples: {rows}"


def main():
    failed = 0
    views = sorted(path.stem for path in VIEWS.glob("*.sql"))
    for view in views:
        try:
            judge(view)
            print(f"ok      the view {view} over each sample")
        except (AssertionError, KeyError, duckdb.Error, sqlglot.errors.SqlglotError) as error:
            failed += 1
            print(f"FAILED  the view {view} over each sample: {error}")
    print(f"{len(views) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
