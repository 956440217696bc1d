"""The live picture: one ffmpeg that draws, plays and encodes, into a folder of this server's own.

It never writes to CephFS itself, so it can be ended at any moment, whatever CephFS does.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SEGMENT = 2  # seconds
LISTED = 10  # segments: how far publishing may fall behind before it misses one
_RATE = 15  # pictures a second
_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

# Clouds at an eighth of the picture's width: they are soft, so nobody sees it, and it costs little.
_CLOUDS = (
    "perlin=s=80x45:r={rate}:octaves=3:persistence=0.6:xscale=2.4:yscale=5:tscale=0.35:random_mode=ken,"
    "format=gbrp,curves=r='0/0.05 0.35/0.28 0.6/0.86 1/1':g='0/0.07 0.35/0.16 0.6/0.50 1/0.93'"
    ":b='0/0.20 0.35/0.34 0.6/0.42 1/0.74',scale={width}:{height}:flags=bicubic,format=yuv420p"
)
# Who encodes, the clock, and a light that pulses.
_MARKS = (
    "drawtext=fontfile={font}:text='{host}':x=w/20:y=h-h/5:fontsize=h/14:fontcolor=white"
    ":shadowcolor=black@0.6:shadowx=1:shadowy=1,"
    "drawtext=fontfile={font}:text='%{{gmtime\\:%Y-%m-%d %H\\\\\\:%M\\\\\\:%S}} UTC':x=w/20:y=h-h/9"
    ":fontsize=h/22:fontcolor=white@0.85:shadowcolor=black@0.6:shadowx=1:shadowy=1,"
    "drawtext=fontfile={font}:text='●':x=w-w/20-tw:y=h/16:fontsize=h/16"
    ":fontcolor=0xff5040:alpha='0.35+0.65*abs(cos(PI*t/2))'"
)
# Two chords that take turns, and a bell every four seconds. One channel at a low rate: it never stops, so it
# must be cheap.
_SOUND = (
    "0.09*(sin(2*PI*110*t)+sin(2*PI*164.81*t))"
    "+0.06*(0.5+0.5*cos(PI*t/8))*sin(2*PI*277.18*t)+0.06*(0.5-0.5*cos(PI*t/8))*sin(2*PI*246.94*t)"
    "+0.12*exp(-1.8*mod(t\\,4))*sin(2*PI*880*t+sin(2*PI*1234*t)*exp(-3*mod(t\\,4)))"
)


def command(*, host: str, width: int, height: int, folder: Path) -> list[str]:
    """Return ffmpeg's arguments; segments and their playlist `local.m3u8` appear in `folder`."""
    clouds = _CLOUDS.format(rate=_RATE, width=width, height=height)
    marks = _MARKS.format(font=_FONT, host=host)
    sound = f"aevalsrc='{_SOUND}':s=16000"
    return [
        *("setpriv", "--pdeathsig", "KILL"),  # it must not outlive the script that decides about it
        *("ffmpeg", "-hide_banner", "-nostdin", "-loglevel", "error"),
        *("-re", "-f", "lavfi", "-i", f"{clouds},{marks}", "-re", "-f", "lavfi", "-i", sound),
        *(
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-profile:v",
            "baseline",
            "-threads",
            "1",
            "-filter_threads",
            "1",
        ),
        *("-crf", "30", "-maxrate", "700k", "-bufsize", "1400k", "-pix_fmt", "yuv420p"),
        *("-g", str(SEGMENT * _RATE), "-keyint_min", str(SEGMENT * _RATE), "-sc_threshold", "0"),
        *("-c:a", "aac", "-b:a", "48k", "-f", "hls", "-hls_time", str(SEGMENT)),
        *("-hls_list_size", str(LISTED), "-hls_segment_filename", str(folder / "%d.ts")),
        *("-hls_flags", "delete_segments+program_date_time+temp_file+independent_segments"),
        str(folder / "local.m3u8"),
    ]


class Encoder:
    """ffmpeg, while this host leads."""

    def __init__(self, *, host: str, width: int, height: int, folder: Path) -> None:
        self.folder = folder
        self._command = command(host=host, width=width, height=height, folder=folder)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start in an empty folder: what an earlier encoder left is none of this one's."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        # In this process's own group, so that a signal to the group reaches both.
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it at once; it writes to this server's own disk only, so nothing can hold it up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
