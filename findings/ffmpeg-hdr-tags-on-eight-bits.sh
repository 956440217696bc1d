#!/usr/bin/env bash
# ffmpeg packs an HDR film as 8-bit H.264 that still calls itself HDR, and the master playlist does not say so.
#
# Versions: ffmpeg 7.1.5 (Debian trixie).
# Seen:     `-c:v libx264 -pix_fmt yuv420p`, the usual way to make a film playable everywhere, reduces 10 bits to 8
#           and copies the tags: transfer smpte2084 (PQ), primaries bt2020. No warning. The master playlist that
#           ffmpeg writes has no VIDEO-RANGE, whose absence means SDR.
# Expected: either the colours are converted, or the tags dropped, or at least a warning; and where PQ stays,
#           the playlist says VIDEO-RANGE=PQ, as RFC 8216bis asks.
# Output:   h264,Constrained Baseline,yuv420p,bt2020nc,smpte2084,bt2020
# Means:    a player that honours the tags shows bands, one that does not shows grey: both are told different
#           things by file and playlist, and a test that looks at size and codec passes. What packs films of
#           others sees the transfer before it encodes, and converts (zscale, tonemap)
#           (apps/streaming/guest/packing/sources.py and ladder.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie ffmpeg
version ffmpeg 7.1.5

inside <<'INSIDE'
cd /tmp
quiet=(-hide_banner -loglevel warning -y)
colours() {
    ffprobe -v error -select_streams v -of csv=p=0 "$1" \
        -show_entries stream=codec_name,profile,pix_fmt,color_space,color_transfer,color_primaries | grep . | head -n1
}
ffmpeg "${quiet[@]}" -f lavfi -i testsrc2=s=320x180:r=25:d=2 \
    -vf format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc \
    -c:v libx265 -preset ultrafast -x265-params log-level=none:pools=none film.mp4 2>/dev/null
expect "the film" "hevc,Main 10,yuv420p10le,bt2020nc,smpte2084,bt2020" "$(colours film.mp4)"
said=$(ffmpeg "${quiet[@]}" -i film.mp4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p \
    -f hls -hls_time 2 -hls_playlist_type vod -master_pl_name master.m3u8 out.m3u8 2>&1) && code=0 || code=$?
expect "exit code and warnings" "0 " "$code $said"
expect "the segment" "h264,Constrained Baseline,yuv420p,bt2020nc,smpte2084,bt2020" "$(colours out0.ts)"
expect_text "the master playlist" "#EXT-X-STREAM-INF:" "$(cat master.m3u8)"
expect "its lines that name a range" 0 "$(grep -c VIDEO-RANGE master.m3u8 || true)"
verdict
INSIDE
