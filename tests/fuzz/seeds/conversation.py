#!/usr/bin/env python3
"""Writes what a camera sends that plays an elementary stream, as the fuzz target `rtsp` reads it.

conversation.py h264|h265 VIDEO [ADTS] [--datagrams]: VIDEO is a byte stream of H.264 or H.265, ADTS one of AAC. With --datagrams
neighbouring packets change places, as they may by UDP.
"""
import base64
import re
import struct
import sys

datagrams = "--datagrams" in sys.argv
codec, video, *sound = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
PAYLOAD_MAX = 400


def kind(unit):
    return unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63


SETS = (7, 8) if codec == "h264" else (32, 33, 34)
units = [unit.rstrip(b"\0") for unit in re.split(b"\0\0\1", open(video, "rb").read())[1:]]
sets = [next(unit for unit in units if kind(unit) == wanted) for wanted in SETS]
names = ("sprop-vps", "sprop-sps", "sprop-pps")
text = [base64.b64encode(one).decode() for one in sets]
described = "sprop-parameter-sets=" + ",".join(text) if codec == "h264" else ";".join(map("=".join, zip(names, text)))

sdp = f"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec.upper()}/90000\r\na=fmtp:96 {described}\r\na=control:1\r\n"
frames = []
if sound:
    adts = open(sound[0], "rb").read()
    while len(adts) > 7:
        length = (adts[3] & 3) << 11 | adts[4] << 3 | adts[5] >> 5
        frames.append(adts[7:length])
        adts = adts[length:]
    sdp += "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/8000/1\r\n"
    sdp += "a=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1588\r\na=control:2\r\n"

numbers = {96: 65530, 97: 1}


def rtp(payload_type, time, marker, payload):
    numbers[payload_type] += 1
    number = numbers[payload_type] & 0xffff
    return struct.pack(">BBHII", 0x80, payload_type | marker << 7, number, time & 0xffffffff, payload_type) + payload


def payloads(unit):
    if len(unit) <= PAYLOAD_MAX:
        return [unit]
    header = 1 if codec == "h264" else 2
    body = unit[header:]
    pieces = [body[at:at + PAYLOAD_MAX] for at in range(0, len(body), PAYLOAD_MAX)]
    out = []
    for n, piece in enumerate(pieces):
        fu = (n == 0) << 7 | (n == len(pieces) - 1) << 6 | kind(unit)
        first = bytes([unit[0] & 0xe0 | 28]) if codec == "h264" else bytes([unit[0] & 0x81 | 49 << 1, unit[1]])
        out.append(first + bytes([fu]) + piece)
    return out


def slice_of(unit):
    return kind(unit) in (1, 5) if codec == "h264" else kind(unit) < 32


parts, time = [], 0xffffff00
for unit in units:
    pieces = payloads(unit)
    for n, piece in enumerate(pieces):
        last = slice_of(unit) and n == len(pieces) - 1
        parts.append((0, rtp(96, time, last, piece)))
    if slice_of(unit):
        ntp = (3976214400 << 32) + (time & 0xffff)
        parts.append((1, struct.pack(">BBHIQIII", 0x80, 200, 6, 96, ntp, time & 0xffffffff, 0, 0)))
        time += 11250
for n, frame in enumerate(frames):
    parts.insert(min(len(parts), 5 * n), (2, rtp(97, 1024 * n, 1, struct.pack(">HH", 16, len(frame) << 3) + frame)))
if datagrams:
    # Video's packets, its reports, and sound, each 8 ms after the one before.
    parts = [({0: 128, 1: 130, 2: 129}[channel] | 4 << 2, packet) for channel, packet in parts]
    for n in range(1, len(parts) - 1, 4):
        parts[n], parts[n + 1] = parts[n + 1], parts[n]

head = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Base: rtsp://camera/live/\r\nSession: 7;timeout=30\r\nPublic: OPTIONS\r\n"
head += "RTP-Info: url=rtsp://camera/live/1;rtptime=4294967040,url=rtsp://camera/live/2;rtptime=0\r\n"
out = b"\x07" + f"{head}Content-Length: {len(sdp)}\r\n\r\n{sdp}".encode()
for channel, packet in parts:
    out += struct.pack(">cBH", b"$", channel, len(packet)) + packet
sys.stdout.buffer.write(out + b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n")
