#!/usr/bin/env bash
# pytest-xdist: `--dist loadgroup` runs the tests of one group in several workers, without a word.
#
# Versions: pytest-xdist 3.8.0 with pytest 9.2.0 (PyPI).
# Seen:     two tests with the same `xdist_group` run in two workers. xdist notes the group by changing the private
#           `item._nodeid`; pytest 9 does not read that any more when a test's name is asked for, so the scheduler
#           sees names without a group and deals the tests out one by one. There is no warning, and the mark is
#           accepted. With `--dist loadscope` both run in one worker, for that reads the module's name.
# Expected: tests of a group run in one worker, as documented, or an error says that they cannot.
# Output:   loadgroup: 2 workers; loadscope: 1 worker
# Means:    tests that share a cluster, a port or a device by that mark meet each other, now and then. rookery's
#           labs share a machine's memory: tests/conftest.py gives xdist a scheduler of its own instead of marks
#           (docs/decisions/0032-tests-in-workers.md).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi pytest==9.2.0 pytest-xdist==3.8.0

mkdir "$WORK/tests"
cat >"$WORK/tests/test_shared.py" <<'PYTHON'
import time

import pytest


@pytest.mark.xdist_group("cluster")
@pytest.mark.parametrize("number", range(6))
def test_of_one_group(number, worker_id):
    time.sleep(0.3)
    print(f"ran in {worker_id}")
PYTHON
workers() { # workers HOW: in how many workers the six tests of one group ran
    (cd "$WORK/tests" && timeout 120 "$WORK/venv/bin/pytest" -p no:cacheprovider -n 2 --dist "$1" -rP 2>&1) >"$WORK/said"
    grep -q '6 passed' "$WORK/said" || cannot "the tests did not pass: $(tail -n1 "$WORK/said")"
    grep -o 'ran in gw[0-9]*' "$WORK/said" | sort -u | wc -l
}
expect "workers that had tests of one group, with loadgroup" 2 "$(workers loadgroup)"
expect "warnings about it" 0 "$(grep -ci warning "$WORK/said")"
expect "workers that had tests of one module, with loadscope" 1 "$(workers loadscope)"
verdict
