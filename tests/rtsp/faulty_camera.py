#!/usr/bin/env python3
"""RTSP cameras whose clocks lie, on loopback.

faulty_camera.py DIRECTORY: *.h264 and *.h265 in it are Annex B, each picture starting with an access unit delimiter, and
sound.aac is AAC in ADTS. Prints one JSON line, {"port": N}, and ends when its standard input ends. `rtsp://127.0.0.1:N/FAULT?FILE`
plays FILE, without its ending, over TCP and in real time, again and again. Faults: see FAULTS.

FAULT-FILE.sent has a line for each picture: when it was sent, in seconds since 1970, and the MD5 of its slices as Annex B, which is
what ffmpeg's filter_units makes of a packet.
"""

import base64
import hashlib
import json
import pathlib
import re
import socket
import struct
import sys
import threading
import time

RATE = 25
NTP_EPOCH = 2208988800


def outliers(by):
    return {"picture": lambda n, t: t + (by if n and n % 60 == 0 else 0)}


def step(by):
    return {"picture": lambda n, t: t + (by if t >= 8 else 0)}


def rate(of):
    return {"picture": lambda n, t: t * of}


# What a camera says instead of the time of its n-th picture, or of its sound; of the start of its streams; of the time.
FAULTS = {
    "none": {},
    "outlier-back": outliers(-9800),
    "outlier-ahead": outliers(9800),
    "outlier-second": outliers(1),
    "step-ahead": step(3600),
    "step-back": step(-7),
    "slow": rate(0.84),
    "fast": rate(1.19),
    "standing": {"picture": lambda n, t: 0},
    "backwards": {"picture": lambda n, t: -t},
    "rtptime-zero": {"start": 3_000_000_000, "announced": 0},
    "rtptime-absent": {"start": 77, "announced": None},
    "ntp-1970": {"ntp": lambda now: now % 1000},
    "ntp-2036": {"ntp": lambda now: (1 << 32) - NTP_EPOCH + 5},
    "ntp-hour": {"ntp": lambda now: now + 3600},
}


def units(data):
    """Splits a byte stream into NAL units at its start codes (H.264 and H.265 Annex B)."""
    return [unit for unit in re.split(b"\x00\x00\x00?\x01", data) if unit]


class Video:
    """An elementary stream: `pictures`, lists of NAL units, and `sets`, the first parameter set of each kind."""

    def __init__(self, path):
        self.h265 = path.suffix == ".h265"
        self.pictures, self.sets = [], {}
        for unit in units(path.read_bytes()):
            kind = self.kind(unit)
            if kind == (35 if self.h265 else 9):
                self.pictures.append([])
            self.pictures[-1].append(unit)
            if kind in ((32, 33, 34) if self.h265 else (7, 8)):
                self.sets.setdefault(kind, unit)

    def kind(self, unit):
        return (unit[0] >> 1) & 63 if self.h265 else unit[0] & 31

    def slices(self, picture):
        return [unit for unit in picture if self.kind(unit) <= (31 if self.h265 else 5)]

    def packets(self, picture, most=1400):
        """Payloads, RFC 6184 §5.8 and RFC 7798 §4.4.3."""
        payloads = []
        for unit in picture:
            if len(unit) <= most:
                payloads.append(unit)
                continue
            if self.h265:
                head, kind, body = bytes([(unit[0] & 0x81) | 49 << 1, unit[1]]), self.kind(unit), unit[2:]
            else:
                head, kind, body = bytes([(unit[0] & 0xE0) | 28]), self.kind(unit), unit[1:]
            for at in range(0, len(body), most):
                first, last = at == 0, at + most >= len(body)
                payloads.append(head + bytes([first << 7 | last << 6 | kind]) + body[at : at + most])
        return payloads

    def description(self):
        text = {kind: base64.b64encode(unit).decode() for kind, unit in self.sets.items()}
        if self.h265:
            sets = f"sprop-vps={text[32]};sprop-sps={text[33]};sprop-pps={text[34]}"
            return f"a=rtpmap:96 H265/90000\r\na=fmtp:96 {sets}"
        return f"a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={text[7]},{text[8]}"


class Sound:
    """An ADTS stream: its AAC `frames` without headers, and `config`, the AudioSpecificConfig in hexadecimal."""

    RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]

    def __init__(self, path):
        data, at, self.frames = path.read_bytes(), 0, []
        while at + 7 <= len(data):
            size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
            self.frames.append(data[at + 7 : at + size])
            at += size
        kind, rate, channels = (data[2] >> 6) + 1, data[2] >> 2 & 15, (data[2] & 1) << 2 | data[3] >> 6
        self.rate, self.channels = self.RATES[rate], channels
        self.config = struct.pack(">H", kind << 11 | rate << 7 | channels << 3).hex()

    def description(self):
        mode = f"mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={self.config}"
        return f"a=rtpmap:97 MPEG4-GENERIC/{self.rate}/{self.channels}\r\na=fmtp:97 streamtype=5;{mode}"


class Session:
    """The connection of one client, and the stream that it was promised. `ended` stops the sending thread."""

    def __init__(self, camera, connection):
        self.camera, self.connection, self.lock = camera, connection, threading.Lock()
        self.channels, self.ended = {}, threading.Event()

    def send(self, data):
        with self.lock:
            self.connection.sendall(data)

    def serve(self):
        try:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer or buffer[:1] == b"$":
                    if buffer[:1] == b"$" and len(buffer) >= 4:
                        length = 4 + struct.unpack(">H", buffer[2:4])[0]
                        if len(buffer) >= length:
                            buffer = buffer[length:]
                            continue
                    data = self.connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                method, url, *_ = head.decode().split("\r\n")[0].split(" ")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
                fields = {name.lower(): value for name, value in fields.items()}
                length = int(fields.get("content-length", 0))
                while len(buffer) < length:
                    buffer += self.connection.recv(65536)
                buffer = buffer[length:]
                self.answer(method, url, fields)
                if method == "TEARDOWN":
                    return
        except OSError:
            pass
        finally:
            self.ended.set()
            self.connection.close()

    def answer(self, method, url, fields):
        extra, body = "", ""
        fault, name = re.search(r"rtsp://[^/]*/([^?/]+)\?([^/]+)", url).groups()
        video, sound, faults = self.camera.videos[name], self.camera.sound, FAULTS[fault]
        base = url.split("/track")[0]
        if method == "DESCRIBE":
            streams = [("video 0 RTP/AVP 96", video, 1), ("audio 0 RTP/AVP 97", sound, 2)]
            body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            for media, stream, track in streams:
                body += f"m={media}\r\n{stream.description()}\r\na=control:{base}/track{track}\r\n"
            extra = "Content-Type: application/sdp\r\n"
        elif method == "SETUP":
            self.channels[url[-1]] = int(re.search(r"interleaved=(\d+)", fields["transport"]).group(1))
            extra = f"Session: 1;timeout=60\r\nTransport: {fields['transport']}\r\n"
        elif method == "PLAY":
            announced = faults.get("announced", faults.get("start", 1000))
            extra = "Session: 1\r\n"
            if announced is not None:
                info = ",".join(f"url={base}/track{track};seq=1;rtptime={announced}" for track in sorted(self.channels))
                extra += f"RTP-Info: {info}\r\n"
        self.send(
            f"RTSP/1.0 200 OK\r\nCSeq: {fields.get('cseq', 0)}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER\r\n"
            f"{extra}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        if method == "PLAY":
            log = open(self.camera.directory / f"{fault}-{name}.sent", "a", buffering=1)
            threading.Thread(target=self.play, args=(video, sound, faults, log), daemon=True).start()

    def rtp(self, channel, kind, sequence, timestamp, mark, payload):
        head = struct.pack(">BBHII", 0x80, mark << 7 | kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, channel)
        return b"$" + bytes([channel]) + struct.pack(">H", len(head) + len(payload)) + head + payload

    def report(self, channel, timestamp, ntp):
        seconds, fraction = int(ntp) + NTP_EPOCH & 0xFFFFFFFF, int(ntp % 1 * 2**32)
        body = struct.pack(">BBHIIIIII", 0x80, 200, 6, channel, seconds, fraction, timestamp & 0xFFFFFFFF, 1, 1)
        return b"$" + bytes([channel + 1]) + struct.pack(">H", len(body)) + body

    def play(self, video, sound, faults, log):
        start, began = faults.get("start", 1000), time.time()
        said = faults.get("picture", lambda n, t: t)
        ntp = faults.get("ntp", lambda now: now)
        n = sounds = sequence = 0
        reported = -5.0
        try:
            while not self.ended.is_set():
                now = time.time() - began
                while "2" in self.channels and sounds * 1024 / sound.rate <= now:
                    frame = sound.frames[sounds % len(sound.frames)]
                    payload = struct.pack(">HH", 16, len(frame) << 3) + frame
                    self.send(self.rtp(self.channels["2"], 97, sounds + 1, start + sounds * 1024, 1, payload))
                    sounds += 1
                if n / RATE > now:
                    time.sleep(min(0.01, n / RATE - now))
                    continue
                picture = video.pictures[n % len(video.pictures)]
                timestamp = start + round(said(n, n / RATE) * 90000)
                payloads = video.packets(picture)
                channel, packets = self.channels["1"], []
                for at, payload in enumerate(payloads):
                    sequence += 1
                    packets.append(self.rtp(channel, 96, sequence, timestamp, at == len(payloads) - 1, payload))
                self.send(b"".join(packets))
                slices = b"\0" + b"".join(b"\0\0\1" + unit for unit in video.slices(picture))
                print(time.time(), hashlib.md5(slices).hexdigest(), file=log)
                if now - reported >= 2:
                    self.send(self.report(channel, timestamp, ntp(time.time())))
                    reported = now
                n += 1
        except OSError:
            pass


class Camera:
    def __init__(self, directory):
        self.directory = directory
        self.videos = {path.stem: Video(path) for path in directory.glob("*.h26[45]")}
        self.sound = Sound(directory / "sound.aac")


def main():
    camera = Camera(pathlib.Path(sys.argv[1]))
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Session(camera, connection).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    sys.stdin.read()


main()
