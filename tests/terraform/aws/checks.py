"""Counts what held and what did not."""

passed = failed = 0


def check(what, held, why=""):
    global passed, failed
    if held:
        passed += 1
        print(f"ok      {what}", flush=True)
    else:
        failed += 1
        print(f"FAILED  {what} {why}", flush=True)
    return held
