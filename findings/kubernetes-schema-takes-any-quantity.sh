#!/usr/bin/env bash
# Kubernetes' own schemas call `memory: 4 GB` valid, strictly checked too; Kubernetes cannot read it.
#
# Versions: kubernetes-validate 1.37.0 with the schemas of Kubernetes 1.32 (PyPI), kubectl 1.32.3 (Debian trixie).
# Seen:     the published schemas say of a quantity that it is a string or a number. So `4 GB`, `4GB` and `four`
#           pass, and so do an image pull policy `Sometimes` and the port 99999999. Go's decoder, which every
#           kubectl and every API server has, refuses the quantities before any validation; the schema does
#           refuse a number where a string belongs and a field that does not exist.
# Expected: what the published schema calls valid can at least be read.
# Output:   quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
# Means:    people who count storage write GB. rookery's tests of the Kubernetes tree
#           (tests/cluster_schemas.py) find misspelt fields and wrong types by these schemas, and can say nothing
#           about values: sizes become quantities in one function (units.py), and what is new in the tree is
#           shown to a real API server once (HACKING.md, "The Kubernetes tree").
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie kubernetes-client
version kubernetes-client 1.32.3
pypi kubernetes-validate==1.37.0

pod() { # pod REQUEST [KEY VALUE]: a pod that asks for so much memory
    printf '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"osd"},"spec":{"containers":[{"name":"osd",'
    printf '"image":"example.org/ceph"%s,"resources":{"requests":{"memory":"%s"}}}]}}' "${2:-}" "$1"
}
schema() { # what the published schema says of the object on standard input
    "$WORK/venv/bin/python" -c '
import json, sys
import kubernetes_validate
try:
    kubernetes_validate.validate(json.load(sys.stdin), "1.32", strict=True)
    print("valid")
except kubernetes_validate.ValidationError as error:
    print("refused:", error.message)'
}
decoder() { # what Kubernetes makes of it
    cat >"$ROOT/pod.json"
    chroot "$ROOT" kubectl set resources --local --dry-run=client -f /pod.json --limits=cpu=1 -o name 2>&1 || true
}

for size in '4 GB' 4GB four; do
    expect "the schema on memory: $size" valid "$(pod "$size" | schema)"
    expect_text "Kubernetes on memory: $size" "quantities must match the regular expression" "$(pod "$size" | decoder)"
done
expect "Kubernetes on memory: 4Gi" pod/osd "$(pod 4Gi | decoder)"
expect "the schema on a pull policy" valid "$(pod 4Gi ',"imagePullPolicy":"Sometimes"' | schema)"
expect "the schema on a port" valid "$(pod 4Gi ',"ports":[{"containerPort":99999999}]' | schema)"
expect_text "the schema on a field that does not exist" "Additional properties are not allowed" \
    "$(pod 4Gi ',"imagePolicy":"Always"' | schema)"
verdict
