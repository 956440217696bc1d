"""Builds ffmpeg's graph for a piece of music: chords that swell, bells over them, weather around them.

Every note is a `sine` source, which is a table and nearly free; an expression for each sample would cost more
than the picture does.
"""

from __future__ import annotations

from typing import Any

RATE = 44100  # samples a second
_DETUNED = 0.0016  # how far left and right are apart, as a part of the pitch: it makes the chord wide
_RING = 2.6  # seconds that a bell is heard
_LOUDNESS = (0.16, 0.11, 0.085, 0.075)  # of a chord's voices, lowest first

_WEATHER = {
    "wind": "anoisesrc=c=brown:a=0.25:seed=3:d={seconds}:r={rate},lowpass=f=420,tremolo=f=0.13:d=0.85",
    "rain": "anoisesrc=c=pink:a=0.30:seed=5:d={seconds}:r={rate},highpass=f=900,lowpass=f=6500,volume=0.45",
}
_THUNDER = "anoisesrc=c=brown:a=1:seed={seed}:d=5:r={rate},lowpass=f=130,volume=2.2"
# A hall: six walls, and nothing shrill.
_HALL = "aecho=0.8:0.75:83|151|233|347|521|733:0.38|0.32|0.26|0.2|0.15|0.1,lowpass=f=7000"


def pitch(note: float) -> float:
    """Return the frequency of a MIDI note in hertz."""
    return float(440 * 2 ** ((note - 69) / 12))


def graph(music: dict[str, Any], seconds: float) -> str:
    """Return a filter graph whose output is `[sound]`, stereo, as long as asked for."""
    parts: list[str] = []
    stereo = [_chords(parts, music), _bells(parts, music["bells"])]
    if music.get("noise"):
        weather = _WEATHER[music["noise"]].format(seconds=seconds, rate=RATE)
        parts.append(f"{weather},pan=stereo|c0=c0|c1=c0[weather]")
        stereo.append("[weather]")
    for number, at in enumerate(music.get("thunder", ())):
        thunder = _THUNDER.format(seed=40 + number, rate=RATE)
        swell = "afade=in:d=0.25,afade=out:st=0.4:d=4.5:curve=exp"
        parts.append(f"{thunder},{swell},adelay={int(at * 1000)},pan=stereo|c0=c0|c1=0.8*c0[thunder{number}]")
        stereo.append(f"[thunder{number}]")
    ending = f"afade=in:d=1,afade=out:st={seconds - 2}:d=2,apad,atrim=end={seconds}"
    parts.append(
        f"{''.join(stereo)}amix=inputs={len(stereo)}:normalize=0,{_HALL},volume=1.6,alimiter=limit=0.9,{ending}[sound]"
    )
    return ";".join(parts)


def _chords(parts: list[str], music: dict[str, Any]) -> str:
    bar = music["bar"]
    for side, factor in (("left", 1 - _DETUNED), ("right", 1 + _DETUNED)):
        voices = []
        for voice, loudness in enumerate(_LOUDNESS):
            names = []
            for number, chord in enumerate(music["chords"]):
                name = f"[{side}{voice}n{number}]"
                swell = f"afade=in:d={bar * 0.4}:curve=hsin,afade=out:st={bar * 0.5}:d={bar * 0.5}:curve=hsin"
                tone = f"sine=f={pitch(chord[voice]) * factor:.3f}:r={RATE}:d={bar}"
                parts.append(f"{tone},volume={loudness * 8},{swell}{name}")
                names.append(name)
            # Every other voice comes half a bar later, so that the chords flow into each other.
            late = f",adelay={int(bar * 200)}" if voice % 2 else ""
            parts.append(f"{''.join(names)}concat=n={len(names)}:v=0:a=1{late}[{side}{voice}]")
            voices.append(f"[{side}{voice}]")
        parts.append(f"{''.join(voices)}amix=inputs={len(voices)}:normalize=0,asoftclip=type=tanh[{side}]")
    parts.append("[left][right]join=inputs=2:channel_layout=stereo[chords]")
    return "[chords]"


def _bells(parts: list[str], bells: list[list[float]]) -> str:
    names = []
    for number, (at, note) in enumerate(bells):
        near, far = (0.9, 0.5) if number % 2 else (0.5, 0.9)
        # A bell's second partial is no octave, and dies away sooner.
        for partial, loudness, ring in ((1.0, 0.8, _RING), (2.76, 0.16, 0.7)):
            name = f"[bell{number}p{int(partial)}]"
            tone = f"sine=f={pitch(note) * partial:.3f}:r={RATE}:d={ring},volume={loudness}"
            fade = f"afade=in:d=0.006,afade=out:st=0.006:d={ring - 0.006}:curve=cub"
            parts.append(
                f"{tone},{fade},pan=stereo|c0={near}*c0|c1={far}*c0,adelay={int(at * 1000)}:all=1{name}"
            )
            names.append(name)
    parts.append(f"{''.join(names)}amix=inputs={len(names)}:normalize=0[bells]")
    return "[bells]"
