"""Films in more light or more colours than screens show: what they are in, and how they become BT.709.

What is packed is H.264 of 8 bits, which every player shows as BT.709. A film in HDR (PQ or HLG) is
tone-mapped, one in the colours of BT.2020 without more light is converted; the tags say what came out.
"""

from __future__ import annotations

from typing import Any

_LIGHT = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_WIDE_PRIMARIES = {"bt2020", "smpte431", "smpte432"}
_WIDE_MATRICES = {"bt2020nc": "bt2020nc", "bt2020c": "bt2020c"}
# What ffprobe calls them, and what the filter zscale does (as both of ffmpeg 5.1 and 7.1 have it).
_PRIMARIES = {"bt2020": "bt2020", "smpte431": "smpte431", "smpte432": "smpte432", "bt709": "bt709"}
_MATRICES = {**_WIDE_MATRICES, "bt709": "bt709", "gbr": "gbr", "smpte170m": "smpte170m", "bt470bg": "bt470bg"}
# What a white sheet of paper has in HDR, in cd/m2 (ITU-R BT.2408, 203 for PQ and for HLG). It becomes nearly
# white; what is brighter is pressed into the rest, and what is darker stays as it is: of the curves that
# ffmpeg has, mobius alone leaves middle grey where it was (hable made 85 of 128).
_WHITE = 203


def light(stream: dict[str, Any]) -> str:
    """Return how a film has more light than BT.709: `PQ`, `HLG`, or nothing."""
    return _LIGHT.get(str(stream.get("color_transfer")), "")


def unshowable(stream: dict[str, Any]) -> str:
    """Return why a film's colours cannot be shown by ffmpeg alone, empty where they can.

    Dolby Vision of profile 5 has no picture that others understand: its base layer is in colours of its own
    (IPTPQc2), which its compatibility number 0 says.
    """
    for data in stream.get("side_data_list", ()):
        if "dv_profile" in data and data.get("dv_bl_signal_compatibility_id", 0) == 0:
            return (
                f"is Dolby Vision of profile {data['dv_profile']}, whose colours ffmpeg cannot show; export "
                "it as HDR10, HLG or SDR"
            )
    return ""


def to_bt709(stream: dict[str, Any]) -> str:
    """Return the filters that make BT.709 of a film's pictures, each with a comma after it; none for most."""
    primaries, matrix = str(stream.get("color_primaries")), str(stream.get("color_space"))
    bright = light(stream)
    if not (bright or primaries in _WIDE_PRIMARIES or matrix in _WIDE_MATRICES):
        return ""
    rgb = str(stream.get("pix_fmt", "")).startswith(("gbr", "rgb", "bgr", "x2rgb", "x2bgr"))
    full = rgb or stream.get("color_range") == "pc"
    source = (
        f"pin={_PRIMARIES.get(primaries, 'bt2020')}",
        f"min={'gbr' if rgb else _MATRICES.get(matrix, 'bt2020nc')}",
        f"tin={stream['color_transfer'] if bright else 'bt709'}",
        f"rin={'full' if full else 'limited'}",
    )
    told = ":".join(source)
    if not bright:
        return f"zscale={told}:p=bt709:m=bt709:t=bt709:r=limited,"
    # Without `p`, what comes out has the primaries that the picture is tagged with, and a film may have none.
    linear = f"zscale={told}:p={_PRIMARIES.get(primaries, 'bt2020')}:t=linear:npl={_WHITE}"
    return (
        f"{linear},format=gbrpf32le,zscale=p=bt709,tonemap=mobius:desat=0,zscale=m=bt709:t=bt709:r=limited,"
    )
