#!/usr/bin/env python3
"""What a screen reader says of the console: `spoken.py BASE SITE CAMERA`. Orca reads it from Firefox, which is driven by keys alone.

The camera has a gap, something that was seen before it, and what was seen after it. By hand, on a machine with Debian's orca, dbus-x11,
openbox, xdotool, xvfb and firefox-esr: `BROWSER=/path` is another Firefox. It needs no sound; what would be spoken is in Orca's log.
"""

import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_S = 90
# Nothing more comes after so long without a word.
QUIET_S = 2.0
CLOCK = r"\d+:\d\d:\d\d"
PREFERENCES = {
    "browser.shell.checkDefaultBrowser": "false", "browser.aboutwelcome.enabled": "false", "browser.startup.homepage_override.mstone": '"ignore"',
    "datareporting.policy.dataSubmissionEnabled": "false", "accessibility.force_disabled": "-1", "media.autoplay.default": "0",
}
failed = 0


class Line:
    """The line to the server, which can be cut."""

    def __init__(self, server):
        self.server = (server.hostname, server.port)
        self.sockets = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_cut = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            browser, _ = self.listener.accept()
            if self.is_cut:
                browser.close()
            else:
                threading.Thread(target=self.carry, args=(browser,), daemon=True).start()

    def carry(self, browser):
        with browser, socket.create_connection(self.server) as server:
            both = {browser: server, server: browser}
            self.sockets |= set(both)
            while not self.is_cut:
                for one in select.select(list(both), [], [], 0.2)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    both[one].sendall(data)


def check(what, holds, said):
    global failed
    failed += not holds
    print(f"{'ok    ' if holds else 'FAILED'} {what}: {' / '.join(said)}", flush=True)


class Reader:
    """Orca, and what it has said."""

    def __init__(self, directory):
        self.log = directory / "orca.log"
        self.heard = 0
        # Without this module nothing is to be spoken aloud.
        (directory / "speechd.py").write_text('raise ImportError("nobody is to hear it")\n')
        environment = {**os.environ, "PYTHONPATH": str(directory)}
        self.process = subprocess.Popen(["orca", "--replace", f"--debug-file={self.log}"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until(r"Screen reader on")

    def said(self):
        """What was said since it was last asked for, but for the keys themselves."""
        data = self.log.read_bytes() if self.log.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        since, self.heard = whole[self.heard :].decode(errors="replace"), len(whole)
        lines = re.findall(r"SPEECH OUTPUT: '(.*?)'(\{.*\})?(?: voice=.*| \{.*\})?$", since, re.MULTILINE)
        return [words.strip() for words, _ in lines if len(words.strip()) > 1]

    def until(self, pattern):
        """Everything that is said until a pattern and the quiet after it; all of it where it does not come."""
        said, end, last = [], time.monotonic() + PATIENCE_S, time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.1)
            more = self.said()
            said += more
            if more:
                last = time.monotonic()
            elif time.monotonic() - last > QUIET_S and re.search(pattern, " / ".join(said)):
                break
        return said


def press(*keys):
    for key in keys:
        subprocess.run(["xdotool", "key", "--clearmodifiers", key], check=True)


def run(base, site, camera):
    directory = Path(tempfile.mkdtemp(prefix="spoken-"))
    read, write = os.pipe()
    display = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1440x900x24", "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL)
    os.environ |= {"DISPLAY": f":{os.read(read, 16).decode().strip()}", "HOME": str(directory), "XDG_RUNTIME_DIR": str(directory), "LANG": "C.UTF-8", "GNOME_ACCESSIBILITY": "1"}
    windows = subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for key in ("org.gnome.desktop.interface toolkit-accessibility", "org.gnome.desktop.a11y.applications screen-reader-enabled"):
        subprocess.run(["gsettings", "set", *key.split(), "true"], check=True, stderr=subprocess.DEVNULL)
    reader = Reader(directory)
    profile = directory / "profile"
    profile.mkdir()
    (profile / "user.js").write_text("".join(f'user_pref("{name}", {value});\n' for name, value in PREFERENCES.items()))
    line = Line(urlsplit(base))
    program = os.environ.get("BROWSER", "firefox-esr")
    browser = subprocess.Popen([program, "--no-remote", "--profile", profile, f"http://127.0.0.1:{line.port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        drive(reader, line, camera)
    finally:
        for process in (browser, reader.process, windows, display):
            process.terminate()
            process.wait(PATIENCE_S)


def drive(reader, line, camera):
    def does(what, keys, pattern, times=1, never=None):
        press(*keys)
        said = reader.until(pattern)
        words = " / ".join(said)
        check(what, len(re.findall(pattern, words)) == times and not (never and re.search(never, words)), said)

    def tab_to(pattern):
        """Goes on by Tab until something is said, and returns all stops."""
        stops = []
        while len(stops) < 60 and not re.search(pattern, " ".join(stops[-1:])):
            press("Tab")
            stops.append(" / ".join(one for one in reader.until(r"(?:^| / )(?!tab\b)\w") if one != "tab"))
        return stops

    check("the page is read", *(lambda said: (any(one.startswith("Live") for one in said), said[:4]))(reader.until(r"Finished loading Live")))
    stops = tab_to(r"^Health")
    check("Tab leads to the screens", stops[-1].startswith("Health"), stops)
    does("a screen that is gone to is said", ["Return"], r"Health heading level 1")
    does("so is one that is gone back to", ["alt+Left"], r"Live")
    stops = tab_to(rf"(^|/ ){re.escape(camera)} .* link")
    check("a camera on the wall has its name first, and no stop is without words", all(re.search(r"\w", one) and one != "leaving panel." for one in stops), stops)
    does("its screen is said", ["Return"], re.escape(camera))
    stops = tab_to(r"slider")
    check("all on the way to the timeline has a name", all(re.search(r"button|slider|box|link|Picture|panel", one) for one in stops), stops)
    does("the slider says its time once", ["Left"], CLOCK)
    does("a gap is said once, with its cause", ["bracketleft"], r"No video .*?: \w+", never="Loading")
    does("a sighting is said once", ["Up"], rf"{CLOCK}[^/]*motion", never="Loading")
    press("space")
    said = reader.until("Playing")
    time.sleep(8)
    said += reader.said()
    check("what plays does not tell the running time", any("Playing" in one for one in said) and not any(re.search(rf"^{CLOCK}", one) for one in said), said)
    does("pausing is said", ["space"], "Paused")
    does("so is a span that is shown", ["plus"], rf"{CLOCK}.* to {CLOCK}")
    does("and the day", ["0"], r"\w+ \d+")
    does("where a range begins", ["i"], rf"Range from {CLOCK}")
    does("and that it is gone", ["x"], "No range")
    does("another speed", ["greater"], "Speed 2×")
    does("that a file is what was recorded", ["v"], "matches")
    does("a dialog is read from its title", ["question"], r"Keys Space, K")
    does("after it, the focus is where it was", ["Escape"], "slider")
    does("the export is read from its title, with its size", ["e"], r"Export heading level 2.*kB")
    line.is_cut = True
    said = reader.until("No connection to the server")
    time.sleep(10)
    said += reader.said()
    check("that there is no connection is said once, and no seconds are counted", sum("No connection" in one for one in said) == 1 and not any("Next try" in one for one in said), said)
    line.is_cut = False
    said = reader.until("Connected again")
    check("and that it is back", any("Connected again" in one for one in said), said)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    if "SPOKEN_BUS" not in os.environ:
        os.execvpe("dbus-run-session", ["dbus-run-session", "--", sys.executable, *sys.argv], {**os.environ, "SPOKEN_BUS": "own"})
    run(*sys.argv[1:])
    sys.exit(failed > 0)
