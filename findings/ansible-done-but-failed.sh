#!/usr/bin/env bash
# Ansible 2.19: a command that was carried out and printed bytes counts as failed, and nothing of it is known.
#
# Versions: ansible-core 2.19.14, mitogen 0.3.54 (PyPI); ansible-core 2.18.11 to compare.
# Seen:     a command whose standard output is no UTF-8 (the first bytes of a drive, a label, a file name from
#           an archive) is carried out with exit code 0, then the task fails: "Refusing to deserialize an invalid
#           UTF8 string value". `failed_when: false` does not hold it, for it is never asked; the registered value
#           has no rc and no stdout. Mitogen's strategy does the same. 2.18 registers rc 0 and goes on.
# Expected: a command that ended with 0 is done; bytes are replaced or refused where somebody uses them.
# Output:   Task failed: Refusing to deserialize an invalid UTF8 string value: 'utf-8' codec can't encode ...
# Means:    a playbook that runs anew after such a failure would format or join a second time. The role `drives`
#           asks `blkid` and `lsblk` for names and never reads a drive's bytes
#           (projections/kubernetes/bootstrap/roles/drives/tasks/look.yaml), and what changes something is
#           judged by looking at the result, not by the registered rc.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

export LC_ALL=C.UTF-8 ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false
export ANSIBLE_NOCOLOR=1 ANSIBLE_LOCAL_TEMP=$WORK/tmp ANSIBLE_REMOTE_TEMP=$WORK/tmp ANSIBLE_CONFIG=$WORK/ansible.cfg
: >"$WORK/ansible.cfg"
cat >"$WORK/play.yaml" <<'YAML'
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - command: sh -c "echo yes > {{ done }}; printf 'bluestore block device\\n\\370\\377'"
      register: label
      failed_when: false
      ignore_errors: true
    - debug: {msg: "rc is {{ label.rc | default('not known') }}"}
YAML
play() { # play ENVIRONMENT: what ansible-playbook says
    rm -f "$WORK/done"
    timeout 120 "$1/bin/ansible-playbook" -e "done=$WORK/done" "$WORK/play.yaml" 2>&1 || true
}

python3 -m venv "$WORK/old"
timeout 300 "$WORK/old/bin/pip" install -q --disable-pip-version-check ansible-core==2.18.11 2>"$WORK/pip.log" ||
    cannot "PyPI has no ansible-core 2.18.11 for this Python: $(tail -n1 "$WORK/pip.log")"
pypi ansible-core==2.19.14 mitogen==0.3.54

said=$(play "$WORK/venv")
expect "2.19: the command was carried out" yes "$(cat "$WORK/done")"
expect_text "2.19 says" "Refusing to deserialize an invalid UTF8 string value" "$said"
expect_text "in spite of failed_when: false" "fatal: [localhost]: FAILED!" "$said"
expect_text "what was registered" '"msg": "rc is not known"' "$said"

plugins=$("$WORK/venv/bin/python" -c 'import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__))')
export ANSIBLE_STRATEGY=mitogen_linear ANSIBLE_STRATEGY_PLUGINS=$plugins/plugins/strategy
said=$(play "$WORK/venv")
unset ANSIBLE_STRATEGY ANSIBLE_STRATEGY_PLUGINS
expect "2.19 with Mitogen: the command was carried out" yes "$(cat "$WORK/done")"
expect_text "it says" "Refusing to deserialize an invalid UTF8 string value" "$said"

said=$(play "$WORK/old")
expect_text "2.18 registered" '"msg": "rc is 0"' "$said"
expect_text "and nothing failed" "failed=0" "$said"
verdict
