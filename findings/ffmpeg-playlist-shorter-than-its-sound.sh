#!/usr/bin/env bash
# ffmpeg's HLS muxer measures by the picture: sound that goes on after it is in the file and not in the playlist.
#
# Versions: ffmpeg 7.1.5 (Debian trixie).
# Seen:     a film with 2 s of picture and 9 s of sound (a recording whose camera stopped, a still with a long
#           commentary) is packed with exit code 0 and not one warning. The one segment holds 9 s of sound; the
#           playlist says #EXTINF:2.000000, a target duration of 2, and ends. Copied or encoded makes no difference.
# Expected: RFC 8216, 4.3.2.1: EXTINF is the duration of the segment. Segments are cut, or the playlist says 9.
# Output:   #EXTINF:2.000000 for a segment whose sound lasts 9.03 s
# Means:    a player seeks, counts and stops by the playlist: seven seconds are cut off, and ffprobe on the
#           playlist says 2 s too, so a check of lengths that trusts either finds nothing. Whoever packs films of
#           others compares the tracks' lengths first and fills up the shorter one
#           (apps/streaming/guest/packing/ladder.py, sources.py), and verifies by what a decoder gets out.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie ffmpeg
version ffmpeg 7.1.5

inside <<'INSIDE'
cd /tmp
quiet=(-hide_banner -loglevel warning -y)
lengths() { # the seconds of each stream of a file, rounded
    ffprobe -v error -show_entries stream=codec_type,duration -of csv=p=0 "$1" |
        awk -F, 'NF > 1 && !seen[$1]++ { printf "%s%s %d", sep, $1, $2 + 0.5; sep = ", " }'
}
ffmpeg "${quiet[@]}" -f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=d=9 \
    -c:v libx264 -preset ultrafast -c:a aac film.mp4
expect "the film" "video 2, audio 9" "$(lengths film.mp4)"
for codecs in 'copy copy' 'libx264 aac'; do
    read -r picture sound <<<"$codecs"
    rm -f out*
    said=$(ffmpeg "${quiet[@]}" -i film.mp4 -c:v "$picture" -c:a "$sound" -f hls -hls_time 2 \
        -hls_playlist_type vod out.m3u8 2>&1) && code=0 || code=$?
    expect "$codecs: exit code and warnings" "0 " "$code $said"
    expect "$codecs: what the playlist says" "#EXT-X-TARGETDURATION:2 #EXTINF:2.000000, #EXT-X-ENDLIST" \
        "$(grep -E 'TARGETDURATION|EXTINF|ENDLIST' out.m3u8 | xargs)"
    expect "$codecs: what the only segment holds" "video 2, audio 9" "$(lengths out0.ts)"
    expect "$codecs: how long ffprobe calls the playlist" 2.000000 \
        "$(ffprobe -v error -show_entries format=duration -of csv=p=0 out.m3u8)"
done
verdict
INSIDE
