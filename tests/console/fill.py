"""Makes a day of one camera up: `fill.py CATALOG CAMERA CHUNKS [TIMES]`.

The catalogue's own rows of the camera are repeated over a day, each with the file that it is really of, so that everything can be
played. The day begins at one o'clock UTC, three days before the first chunk: whatever the time is, all of it is in one day of Berlin's
clocks, which is over. A chunk is TIMES (1 unless given) as long as the camera's first one; more than 1 makes a day that is as
long with fewer chunks, which can be drawn but not played. Three stretches are left out, as gaps, and there is a sighting every thirty
lengths of the first chunk. Prints the time at which the day begins, in milliseconds since 1970.
"""

import json
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

DAY_US = 86_400_000_000
catalog, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
times = int(sys.argv[4]) if len(sys.argv) > 4 else 1
db = sqlite3.connect(catalog, timeout=30)
db.row_factory = sqlite3.Row
camera = db.execute("SELECT id FROM camera WHERE name = ?", (name,)).fetchone()["id"]
rows = [dict(row) for row in db.execute("SELECT * FROM chunk WHERE camera = ? ORDER BY from_us", (camera,))]
window = rows[0]["to_us"] - rows[0]["from_us"]
length = window * times
start = (rows[0]["from_us"] // DAY_US - 3) * DAY_US + 3_600_000_000
assert count * length < DAY_US - 3 * 3_600_000_000, "it does not end on the day on which it begins"
period, first_gap, gap = 9600 // times, 4000 // times, max(1, 40 // times)


def words(us):
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def put(table, row):
    names = [name for name in row if name != "id"]
    places = ", ".join("?" for _ in names)
    db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", [row[name] for name in names])


def is_gap(index):
    return index % period in range(first_gap, first_gap + gap)


for index in range(count):
    at = start + index * length
    row = dict(rows[index % len(rows)])
    if is_gap(index):
        if index % period == first_gap:
            span = {"from": words(at), "to": words(at + gap * length)}
            key = f"{row['key']}_gap{index}"
            object = {"provider": "local", "bucket": "footage", "key": key, "version": "1"}
            record = {"site": row["key"].split("/")[0], "camera": name, **span, "cause": "camera-lost", "object": object}
            put("gap", {"camera": camera, "from_us": at, "to_us": at + gap * length, "key": key, "place": row["place"], "version": "1",
                        "time_us": at, "record": json.dumps(record)})
        continue
    record = json.loads(row["record"])
    record["duration"] = {"from": words(at), "to": words(at + length), "seconds": length / 1e6}
    level = 1 + (index * times // 40 % 7) / 2
    record["activity"] = {"level": level, "quietBytesPerSecond": 1000}
    record["object"]["version"] = row["version"] = f"{row['version'][:8]}{index:08x}"
    row.update(from_us=at, to_us=at + length, activity=level, record=json.dumps(record))
    put("chunk", row)

db.execute("INSERT OR IGNORE INTO series (name, model, last_us) VALUES ('made up', ?, ?)",
           (json.dumps({"detector": "motion", "name": "made up"}), start))
series = db.execute("SELECT id FROM series WHERE name = 'made up'").fetchone()["id"]
for index in range(0, count * times, 30):
    at = start + index * window
    label = ["person", "vehicle", "animal"][index // 30 % 3]
    score = [0.6, 0.7, 0.8, 0.95][index // 30 % 4]
    row = rows[index % len(rows)]
    box = {"left": 0.2, "top": 0.2, "width": 0.3, "height": 0.4}
    best = {"time": words(at), "key": row["key"], "offset": 0.0, "bounds": box}
    seen = {"label": label, "from": words(at), "to": words(at + 5 * window), "score": score, "pictures": 5, "most": 1, "zones": [], "best": best}
    put("sighting", {"camera": camera, "series": series, "day_us": at // DAY_US * DAY_US, "label": label, "from_us": at,
                     "to_us": at + 5 * window, "score": score, "sighting": json.dumps(seen)})
db.commit()
print(start // 1000)
