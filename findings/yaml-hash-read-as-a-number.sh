#!/usr/bin/env bash
# A hash that one YAML library writes without quotes is a number to the others: Kubernetes refuses the object.
#
# Versions: PyYAML 6.0.3, kubectl 1.32.3 (Debian trixie, Go), yaml 2.8.1 and js-yaml 4.1.0 (npm).
# Seen:     PyYAML writes the text 6402913e34 without quotes and reads it back as the same text, so no test in
#           Python notices. YAML 1.2's core schema, Go's and JavaScript's readers take it for 6.402913e+40.
#           PyYAML wants a dot and a sign in a float: 1e3 is text to it and a number to everyone else.
# Expected: what one library writes as a text is a text for the next, in the one format that all of them name.
# Output:   json: cannot unmarshal number into Go struct field ObjectMeta.metadata.annotations of type string
# Means:    hashes stand in annotations, labels and names. About 7 in 1,000 hashes of ten hexadecimal digits are
#           digits with one e among them; a release of a chart or program breaks when its hash happens to be
#           one. projections/kubernetes/emit.py quotes what any reader would take for something else, and
#           its tests read with ruamel and kubectl too, not with PyYAML alone.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie kubernetes-client
version kubernetes-client 1.32.3
pypi PyYAML==6.0.3
npm_package yaml@2.8.1 js-yaml@4.1.0

"$WORK/venv/bin/python" - "$WORK/deployment.yaml" <<'PYTHON'
import sys

import yaml

labels = {"app": "edge"}
pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "edge", "image": "example.org/edge"}]}}
written = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "edge", "annotations": {"example.org/content": "6402913e34"}},
    "spec": {"selector": {"matchLabels": labels}, "template": pod},
}
with open(sys.argv[1], "w") as file:
    yaml.safe_dump(written, file)
with open(sys.argv[1]) as file:
    assert yaml.safe_load(file) == written, "PyYAML does not read what it wrote"
PYTHON
cp "$WORK/deployment.yaml" "$ROOT/deployment.yaml"

expect "PyYAML writes" "example.org/content: 6402913e34" "$(grep -o 'example.org/content.*' "$WORK/deployment.yaml")"
for reader in 'yaml parse' 'js-yaml load'; do
    # shellcheck disable=SC2086 # library, function
    set -- $reader
    expect "npm's $1 reads" "number 6.402913e+40" "$(cd "$WORK/npm" && node -e "
        const read = require('$1').$2(require('fs').readFileSync('$WORK/deployment.yaml', 'utf8'))
        const value = read.metadata.annotations['example.org/content']
        console.log(typeof value, String(value))")"
done
said=$(chroot "$ROOT" kubectl label --local --dry-run=client -f /deployment.yaml a=b -o json 2>&1) && code=0 || code=$?
expect "kubectl's exit code" 1 "$code"
expect_text "kubectl says" "cannot unmarshal number into Go struct field ObjectMeta.metadata.annotations of type string" "$said"
sed -i 's/6402913e34/"6402913e34"/' "$ROOT/deployment.yaml"
chroot "$ROOT" kubectl label --local --dry-run=client -f /deployment.yaml a=b -o json >/dev/null && code=0 || code=$?
expect "kubectl's exit code with quotes" 0 "$code"
verdict
