#!/usr/bin/env bash
# restic check --json: the advice after an error has the type `error` as well, and a pack that is lost is no broken pack.
#
# Versions: restic 0.19.1 (Debian forky).
# Seen:     One byte of a pack is flipped. `check --read-data --json` counts one error in its summary, on standard output,
#           and writes four messages of the type "error" on standard error: that one, and three of advice, one of which is
#           two commands to run. Where a pack is lost instead, it counts 2 errors and writes 5: that the pack is not there,
#           each attempt to read it, that reading failed, and advice. Then `broken_packs` is null and `suggest_repair_index`
#           false: what the documentation says to run for broken packs is for the flipped byte only.
# Expected: a message of the type "error" for each error that is counted, and a pack that cannot be read among the broken.
# Output:   flipped: num_errors 1, messages 4, broken_packs 1; lost: num_errors 2, messages 5, broken_packs null
# Means:    Nobody can count errors by messages, or show the last one as the reason: it is a link. What a check found ends
#           where a message begins with a new line, which all advice does first (backups/files_restic.py); whether it
#           found anything is its exit code.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian forky restic python3 iproute2
version restic 0.19.1

inside <<'INSIDE'
export RESTIC_PASSWORD=secret RESTIC_REPOSITORY=/run/repository HOME=/run
mkdir /run/tree
head -c 12000000 /dev/urandom >/run/tree/film
restic init >/dev/null
restic backup /run/tree >/dev/null
cp -a /run/repository /run/good
pack=$(find /run/repository/data -type f -size +8M)
check() { # check: its exit code; what it says is in /run/said, its messages in /run/messages
    local rc=0
    restic check --read-data --json >/run/said 2>/run/messages || rc=$?
    echo "$rc"
}
summary() { python3 -c 'import json, sys
for line in open("/run/said"):
    told = json.loads(line)
    if told["message_type"] == "summary":
        print(json.dumps(told[sys.argv[1]]))' "$1"; }
messages() { python3 -c 'import json
told = [json.loads(line) for line in open("/run/messages")]
errors = [one["message"] for one in told if one["message_type"] == "error"]
print(len(errors), "messages, advice from number", next(n for n, one in enumerate(errors, 1) if one.startswith("\n")))'; }
expect "a repository that is whole" 0 "$(check)"

chmod u+w "$pack"
byte=$(od -An -tu1 -j1000 -N1 "$pack")
# shellcheck disable=SC2059 # the byte is made of its number
printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$pack" bs=1 seek=1000 conv=notrunc 2>/dev/null
expect "one byte flipped: exit code" 1 "$(check)"
expect "errors counted" 1 "$(summary num_errors)"
expect "of the type error" "4 messages, advice from number 2" "$(messages)"
expect_text "one of them" '"message_type":"error","message":"restic repair packs ' "$(cat /run/messages)"
expect "broken packs" "[\"$(basename "$pack")\"]" "$(summary broken_packs)"

rm -f "$pack"
expect "the pack lost: exit code" 1 "$(check)"
expect "errors counted" 2 "$(summary num_errors)"
expect "of the type error" "5 messages, advice from number 5" "$(messages)"
expect "broken packs" null "$(summary broken_packs)"
expect "repair of the index suggested" false "$(summary suggest_repair_index)"
verdict
INSIDE
