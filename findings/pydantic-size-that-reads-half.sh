#!/usr/bin/env bash
# pydantic's ByteSize reads the beginning of a text and takes the rest for nothing.
#
# Versions: pydantic 2.14.3 (PyPI).
# Seen:     `ByteSize` takes `20GB/s`, `20GB, 5` and `1.5TiB of it` for 20 GB, 20 GB and 1.5 TiB, and `1,5TB` for
#           one byte: its pattern is anchored at the beginning only. The JSON Schema that pydantic writes for such a field has the same
#           pattern without an end, so an editor that checks by it finds nothing either.
# Expected: a text that is more than a size is no size, as `int` refuses `20, 5`.
# Output:   20GB/s -> 20000000000; 20GB, 5 -> 20000000000; 1,5TB -> 1; int: refused
# Means:    two sizes for one, a rate for a size, a decimal comma: whoever sizes drives and volumes by such a
#           field gets another cluster than was written down. rookery reads
#           sizes whole (the type `Size` of the spec's model) and anchors the schema's pattern.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi pydantic==2.14.3

read_as() { # read_as TYPE TEXT: what pydantic makes of a text
    timeout 60 "$WORK/venv/bin/python" -c '
import sys
from pydantic import ByteSize, TypeAdapter, ValidationError
wanted = {"size": ByteSize, "int": int}[sys.argv[1]]
try:
    print(int(TypeAdapter(wanted).validate_python(sys.argv[2])))
except ValidationError:
    print("refused")' "$@"
}
expect "a size, 20GB" 20000000000 "$(read_as size 20GB)"
expect "a rate, 20GB/s" 20000000000 "$(read_as size 20GB/s)"
expect "two sizes, 20GB, 5" 20000000000 "$(read_as size '20GB, 5')"
expect "a sentence, 1.5TiB of it" 1649267441664 "$(read_as size '1.5TiB of it')"
expect "a decimal comma at the end, 5GB,5" 5000000000 "$(read_as size 5GB,5)"
expect "a decimal comma, 1,5TB" 1 "$(read_as size 1,5TB)"
expect "an int, 20, 5" refused "$(read_as int '20, 5')"
expect "the pattern in the schema ends" no "$("$WORK/venv/bin/python" -c '
from pydantic import ByteSize, TypeAdapter
pattern = TypeAdapter(ByteSize).json_schema(mode="validation")["anyOf"][0].get("pattern", "")
print("yes" if pattern.endswith("$") else "no")' 2>&1 | tail -n1)"
verdict
