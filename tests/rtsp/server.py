#!/usr/bin/python3
"""A live RTSP server for all tests that need one: GStreamer's gst-rtsp-server on loopback.

Prints one JSON line, {"port": N, "mounts": [...]}, when it is ready, and ends when its standard input ends, so that it
never outlives the test that started it. TCP and UDP are both offered; the client chooses.

Every live mount shows a moving ball and the running time, so that no two frames are alike. A file given by --file NAME=PATH is
played once in real time for each client, untouched but for its packing into RTP.
"""

import argparse
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def picture(width, height, rate, pattern="ball"):
    """A live raw picture in which every frame differs from the one before it."""
    return (
        f"videotestsrc is-live=true pattern={pattern}"
        f" ! video/x-raw,width={width},height={height},framerate={rate}/1"
        " ! timeoverlay"
        " ! videoconvert ! video/x-raw,format=I420"
    )


def h264(width=320, height=240, rate=25, bframes=0, gop=25, kbps=400, pattern="ball"):
    tune = "" if bframes else "tune=zerolatency"
    return (
        f"{picture(width, height, rate, pattern)}"
        f" ! x264enc {tune} speed-preset=ultrafast bitrate={kbps} key-int-max={gop} bframes={bframes}"
        " b-adapt=false threads=1 ! video/x-h264,profile=main ! h264parse config-interval=-1"
        " ! rtph264pay name=pay0 pt=96 aggregate-mode=zero-latency"
    )


def h265(width=320, height=240, rate=25, bframes=0):
    options = f"bframes={bframes}:open-gop=0:scenecut=0:pools=1:frame-threads=1:log-level=none"
    return (
        f"{picture(width, height, rate)}"
        f" ! x265enc speed-preset=ultrafast bitrate=400 key-int-max={rate} option-string=\"{options}\""
        " ! h265parse config-interval=-1 ! rtph265pay name=pay0 pt=96"
    )


def without_parameter_sets(pipeline):
    """The same, but the description names no parameter sets: they come in-band only."""
    description = (
        "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96,packetization-mode=(string)1"
    )
    return (
        pipeline.replace("name=pay0 pt=96 ", "")
        + f" ! capssetter name=pay0 replace=true join=false caps={description}"
    )


TONE = "audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=1 ! audioconvert"
AAC = f"{TONE} ! avenc_aac bitrate=48000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"
OPUS = f"{TONE} ! opusenc bitrate=32000 ! rtpopuspay name=pay1 pt=97"

MOUNTS = {
    "h264": h264(),
    # A GOP of 0.2 s: something is closed, whenever the gateway is killed.
    "h264-short-gop": h264(gop=5),
    "h264-bframes": h264(bframes=2),
    "h264-bare": without_parameter_sets(h264()),
    "h264-720p": h264(width=1280, height=720),
    # Noise cannot be coded well: the encoder takes all that it is given.
    "h264-720p-4m": h264(width=1280, height=720, kbps=4000, pattern="snow"),
    "h264-aac": f"{h264()} {AAC}",
    "h264-opus": f"{h264()} {OPUS}",
    "h265": h265(),
    "h265-bframes": h265(bframes=2),
    "h265-aac": f"{h265()} {AAC}",
    "jpeg": f"{picture(320, 240, 25)} ! jpegenc ! rtpjpegpay name=pay0",
}


def file_mount(path):
    """The file's own access units, paced by their times. Its video codec is told by its caps, at run time."""
    demuxer = "matroskademux" if path.endswith((".mkv", ".webm")) else "qtdemux"
    codec = video_codec(path)
    return (
        f"filesrc location={json.dumps(path)} ! {demuxer} name=demux demux.video_0 ! queue"
        f" ! {codec}parse config-interval=-1 ! rtp{codec}pay name=pay0 pt=96"
    )


def video_codec(path):
    gi.require_version("GstPbutils", "1.0")
    from gi.repository import GstPbutils

    info = GstPbutils.Discoverer.new(10 * Gst.SECOND).discover_uri(Gst.filename_to_uri(path))
    caps = info.get_video_streams()[0].get_caps().to_string()
    return "h265" if "x-h265" in caps else "h264"


def with_digest(server, factories, user, password):
    """Only `user` may see the mounts, and has to say so by digest authentication."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    for factory in factories:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)


def live_only(_factory, media):
    """A test source can be sought, and the server seeks to 0 for each client that says `Range: npt=0-`, as all do: the
    stream would begin anew for everybody. A camera does not do that."""

    def no_seek(_pad, info):
        seeking = info.get_query().type == Gst.QueryType.SEEKING
        return Gst.PadProbeReturn.DROP if seeking else Gst.PadProbeReturn.OK

    sources = media.get_element().iterate_sources()
    while True:
        result, source = sources.next()
        if result != Gst.IteratorResult.OK:
            return
        source.get_static_pad("src").add_probe(Gst.PadProbeType.QUERY_UPSTREAM, no_seek)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH")
    arguments = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))

    mounts = dict(MOUNTS)
    once = {}
    for entry in arguments.file:
        name, path = entry.split("=", 1)
        once[name] = file_mount(path)
    factories = []
    for name, launch in (mounts | once).items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(name not in once)
        factory.set_latency(0)
        if name not in once:
            factory.connect("media-constructed", live_only)
        server.get_mount_points().add_factory(f"/{name}", factory)
        factories.append(factory)
    if arguments.user:
        with_digest(server, factories, arguments.user, arguments.password)

    if not server.attach(None):
        sys.exit(f"port {arguments.port} of 127.0.0.1 cannot be bound")
    loop = GLib.MainLoop()

    def end_with_the_parent():
        sys.stdin.buffer.read()
        loop.quit()

    threading.Thread(target=end_with_the_parent, daemon=True).start()
    print(json.dumps({"port": server.get_bound_port(), "mounts": sorted(mounts | once)}), flush=True)
    loop.run()


if __name__ == "__main__":
    main()
