#!/usr/bin/python3
"""A small RTSP server for the camera tests: prints its port, then serves until its standard input closes.

    rtsp_server.py [USER:PASSWORD]

With a user name and a password, every path wants them (Digest). Written for gst-rtsp-server's Python bindings.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=192,height=108,framerate=25/1"
SOUND = "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1"
X264 = PICTURE + " ! x264enc speed-preset=ultrafast key-int-max=25 bitrate=300 "
PAY264 = " ! video/x-h264,profile=main ! rtph264pay name=pay0 pt=96 config-interval=-1"
STREAMS = {
    "/h264": X264 + "tune=zerolatency" + PAY264,
    # The description without parameter sets: they come in-band only.
    "/h264-bare": X264 + "tune=zerolatency" + PAY264.replace("name=pay0 ", "")
    + " ! capssetter name=pay0 replace=true join=false caps=application/x-rtp,media=video,clock-rate=90000,"
    "encoding-name=H264,payload=96,packetization-mode=(string)1",
    "/h264-b": X264 + "bframes=2 b-adapt=false rc-lookahead=5 sync-lookahead=0" + PAY264,
    "/h264-aac": X264 + "tune=zerolatency" + PAY264 + " " + SOUND
    + " ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 pt=97",
    "/h264-opus": X264 + "tune=zerolatency" + PAY264 + " " + SOUND + " ! opusenc ! rtpopuspay name=pay1 pt=97",
    "/h265": PICTURE + " ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=300"
    " ! rtph265pay name=pay0 pt=96 config-interval=-1",
    "/jpeg": PICTURE + " ! jpegenc ! rtpjpegpay name=pay0",
}


def protect(server, user, password):
    """Every path for this user only, by Digest."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    return permissions


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    permissions = protect(server, *sys.argv[1].split(":")) if len(sys.argv) > 1 else None
    mounts = server.get_mount_points()
    for path, pipeline in STREAMS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch("( " + pipeline + " )")
        factory.set_shared(True)
        if permissions:
            factory.set_permissions(permissions)
        mounts.add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    stdin = GLib.IOChannel.unix_new(sys.stdin.fileno())
    GLib.io_add_watch(stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN | GLib.IOCondition.HUP, lambda *_: loop.quit())
    loop.run()


main()
