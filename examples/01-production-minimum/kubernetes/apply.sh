#!/bin/sh
# Applies this tree to the cluster that kubectl points at, stage after stage. It may be run again at any time:
# what is there already stays, what was changed here is changed there.
#
#     ./apply.sh                     everything
#     ./apply.sh 50-storage          one stage
#     ./apply.sh --from 50-storage   that stage and all that follow
#
# Charts and others' objects come from where they are published, or from the mirror that ROOKERY_MIRROR names:
# a folder that `rookery mirror pull` filled.
set -eu
# What programs say is in English and in UTF-8, whatever the terminal speaks.
LC_ALL=C.UTF-8 LANGUAGE=
export LC_ALL LANGUAGE
mirror=
if [ -n "${ROOKERY_MIRROR:-}" ]; then
    [ -f "$ROOKERY_MIRROR/index.json" ] || {
        echo "apply.sh: ROOKERY_MIRROR=$ROOKERY_MIRROR is no mirror: it has no index.json" >&2
        exit 2
    }
    mirror=$(cd -- "$ROOKERY_MIRROR" && pwd)
fi
cd "$(dirname -- "$0")"

absent=
for command in kubectl helm openssl git; do
    # kubectl fetches a folder of others' objects with git; a mirror has it as files.
    if [ "$command" = git ] && [ -n "$mirror" ]; then continue; fi
    command -v "$command" > /dev/null || { echo "apply.sh: $command is missing" >&2; absent=yes; }
done
[ -z "$absent" ] || exit 3

say() { printf '\n== %s\n' "$*"; }

apply() { kubectl apply --server-side --force-conflicts --field-manager=rookery "$@"; }

# A Job's namespace, work and name: those that did the same before it go. One that ended would keep its work
# from being done when it is wanted again.
only() {
    kubectl --namespace "$1" delete jobs --selector "rookery.io/job=$2" --field-selector "metadata.name!=$3" \
        --cascade=foreground
}

# Others' objects: -f or -k, their URL, and their path in a mirror.
remote() {
    if [ -n "$mirror" ]; then apply "$1" "$mirror/$3"; else apply "$1" "$2"; fi
}

# A release's name, namespace, chart, version, repository, values, and further options.
release() {
    name=$1 namespace=$2 chart=$3 version=$4 repository=$5 values=$6
    shift 6
    if [ -n "$mirror" ]; then
        set -- "$mirror/charts/$chart-$version.tgz" "$@"
    else
        set -- "$chart" --repo "$repository" --version "$version" "$@"
    fi
    helm upgrade --install "$name" "$@" --namespace "$namespace" --values "$values"
}

# A password that is made once: a secret that is there is left alone.
secret() {
    name=$1 namespace=$2 user=$3 labels=$4 key=${5:-password}
    kubectl --namespace "$namespace" get secret "$name" > /dev/null 2>&1 && return
    password=$(openssl rand -hex 24)
    # It goes by standard input: arguments show to everyone who lists processes.
    set -- --from-file="$key"=/dev/stdin
    [ -z "$user" ] || set -- --type=kubernetes.io/basic-auth --from-literal=username="$user" "$@"
    printf '%s' "$password" | kubectl --namespace "$namespace" create secret generic "$name" "$@"
    [ -z "$labels" ] || kubectl --namespace "$namespace" label secret "$name" $labels
}

# What must be true before the next step. The object itself may be made by a controller a moment later.
wait_for() {
    namespace=$1 kind=$2 name=$3 condition=$4 seconds=$5
    echo "waiting up to ${seconds} s: $kind $name, $condition"
    left=60
    while [ "$name" != --all ] && ! kubectl $namespace get "$kind" "$name" > /dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { echo "apply.sh: there is no $kind $name after 60 s" >&2; exit 1; }
        sleep 1
    done
    if [ "$condition" = "rolled out" ]; then
        kubectl $namespace rollout status "$kind/$name" --timeout="${seconds}s"
    else
        kubectl $namespace wait "$kind" "$name" --for="$condition" --timeout="${seconds}s"
    fi
}

chosen=${1:-} missing=${1:-}
if [ "$chosen" = --from ]; then missing=${2:?which stage} chosen=; fi
wanted() {
    [ "$missing" != "$1" ] || missing=
    if [ -n "$chosen" ]; then [ "$chosen" = "$1" ]; else [ -z "$missing" ]; fi
}

if wanted 10-namespaces; then
    say Namespaces
    apply -f 10-namespaces/10-namespaces.yaml
fi

if wanted 20-network; then
    say Network
    remote -f https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml remotes/kubernetes-sigs/gateway-api/v1.6.1/standard-install.yaml
    release cilium kube-system cilium 1.20.0 https://helm.cilium.io 20-network/20-cilium.values.yaml
    wait_for --namespace=kube-system secret hcloud 'jsonpath={.type}=Opaque' 10
    release hcloud-cloud-controller-manager kube-system hcloud-cloud-controller-manager 1.35.0 https://charts.hetzner.cloud 20-network/40-hcloud-cloud-controller-manager.values.yaml --wait --timeout 900s
    wait_for '' node --all condition=Ready 600
fi

if wanted 30-foundation; then
    say 'Certificates and snapshots'
    release cert-manager cert-manager cert-manager v1.21.1 https://charts.jetstack.io 30-foundation/10-cert-manager.values.yaml --wait --timeout 900s
    apply -f 30-foundation/20-authority.yaml
    wait_for '' clusterissuer rookery-ca condition=Ready 120
    remote -k 'https://github.com/kubernetes-csi/external-snapshotter/client/config/crd?ref=v8.5.0' remotes/kubernetes-csi/external-snapshotter/v8.5.0/client/config/crd
    remote -k 'https://github.com/kubernetes-csi/external-snapshotter/deploy/kubernetes/snapshot-controller?ref=v8.5.0' remotes/kubernetes-csi/external-snapshotter/v8.5.0/deploy/kubernetes/snapshot-controller
fi

if wanted 40-monitoring; then
    say Monitoring
    secret grafana-admin monitoring admin ''
    release kube-prometheus-stack monitoring kube-prometheus-stack 88.5.3 https://prometheus-community.github.io/helm-charts 40-monitoring/20-kube-prometheus-stack.values.yaml
    apply -f 40-monitoring/30-dashboards.yaml
    apply -f 40-monitoring/40-rules.yaml
fi

if wanted 50-storage; then
    say 'Ceph by Rook v1.20.6'
    release rook-ceph rook-ceph rook-ceph v1.20.6 https://charts.rook.io/release 50-storage/01-rook-ceph.values.yaml --wait --timeout 900s
    release ceph-csi-drivers rook-ceph ceph-csi-drivers 1.0.4 https://ceph.github.io/ceph-csi-operator 50-storage/02-ceph-csi-drivers.values.yaml --wait --timeout 900s
    apply -f 50-storage/03-gateway-certificate.yaml
    release rook-ceph-cluster rook-ceph rook-ceph-cluster v1.20.6 https://charts.rook.io/release 50-storage/04-rook-ceph-cluster.values.yaml
    wait_for --namespace=rook-ceph cephcluster rook-ceph 'jsonpath={.status.storage.osd.storeType.bluestore}=8' 1200
    wait_for --namespace=rook-ceph cephcluster rook-ceph 'jsonpath={.status.ceph.health}=HEALTH_OK' 1200
    only rook-ceph dashboard-certificate dashboard-certificate-1036b8a9b0
    apply -f 50-storage/07-dashboard-certificate.yaml
    wait_for --namespace=rook-ceph job dashboard-certificate-1036b8a9b0 condition=Complete 600
    wait_for --namespace=rook-ceph cephfilesystem cephfs 'jsonpath={.status.phase}=Ready' 600
    wait_for --namespace=rook-ceph cephobjectstore store 'jsonpath={.status.phase}=Ready' 600
    apply -f 50-storage/11-verification-user.yaml
    apply -f 50-storage/12-load-user.yaml
fi

if wanted 60-databases; then
    say 'Operator of databases'
    release cnpg cnpg-system cloudnative-pg 0.29.0 https://cloudnative-pg.github.io/charts 60-databases/10-cnpg.values.yaml --wait --timeout 900s
    release plugin-barman-cloud cnpg-system plugin-barman-cloud 0.7.0 https://cloudnative-pg.github.io/charts 60-databases/20-plugin-barman-cloud.values.yaml --wait --timeout 900s
fi

if wanted 65-backups; then
    say Backups
    apply -f 65-backups/01-users.yaml
    wait_for --namespace=rook-ceph cephobjectstoreuser backup-vault 'jsonpath={.status.phase}=Ready' 300
    wait_for --namespace=media cephobjectstoreuser backup 'jsonpath={.status.phase}=Ready' 300
    wait_for --namespace=velero cephobjectstoreuser backup-volumes 'jsonpath={.status.phase}=Ready' 300
    wait_for --namespace=velero cephobjectstoreuser backup-system 'jsonpath={.status.phase}=Ready' 300
    apply -f 65-backups/06-trust.yaml
    only rook-ceph backup-bucket backup-bucket-94c2481805
    apply -f 65-backups/07-bucket.yaml
    wait_for --namespace=rook-ceph job backup-bucket-94c2481805 condition=Complete 300
    apply -f 65-backups/09-node-agent.yaml
    secret velero-repo-credentials velero '' '' repository-password
    release velero velero velero 12.1.0 https://vmware-tanzu.github.io/helm-charts 65-backups/11-velero.values.yaml --wait --timeout 900s
    apply -f 65-backups/12-location.yaml
    wait_for --namespace=velero backupstoragelocation backups 'jsonpath={.status.phase}=Available' 300
    apply -f 65-backups/14-schedule.yaml
    apply -f 65-backups/15-rules.yaml
fi

if wanted 70-access; then
    say 'Policies and the Gateway'
    apply -f 70-access/10-default-deny.yaml
    apply -f 70-access/20-gateway.yaml
    apply -f 70-access/30-routes.yaml
    wait_for --namespace=media gateway public condition=Programmed 600
fi

if wanted 71-database; then
    say 'Application: database'
    secret database-verify media verify cnpg.io/reload=true
    secret database-load media load cnpg.io/reload=true
    secret database-catalogue media catalogue cnpg.io/reload=true
    secret database-catalogue-installer media catalogue_installer cnpg.io/reload=true
    apply -f 71-database/02-network-policies.yaml
    apply -f 71-database/03-certificate.yaml
    wait_for --namespace=media certificate database condition=Ready 180
    apply -f 71-database/05-backup-store.yaml
    apply -f 71-database/06-cluster.yaml
    wait_for --namespace=media cluster.postgresql.cnpg.io database condition=Ready 900
    apply -f 71-database/08-owners.yaml
    wait_for --namespace=media databaserole.postgresql.cnpg.io --all 'jsonpath={.status.applied}=true' 300
    apply -f 71-database/10-users.yaml
    wait_for --namespace=media databaserole.postgresql.cnpg.io --all 'jsonpath={.status.applied}=true' 300
    apply -f 71-database/12-databases.yaml
    wait_for --namespace=media database.postgresql.cnpg.io --all 'jsonpath={.status.applied}=true' 300
    apply -f 71-database/14-backup-schedule.yaml
fi

if wanted 72-streaming; then
    say 'Application: streaming'
    apply -f 72-streaming/10-network-policies.yaml
    apply -f 72-streaming/20-bucket.yaml
    wait_for --namespace=media objectbucketclaim media 'jsonpath={.status.phase}=Bound' 300
    only media streaming-packager streaming-packager-ae13224e27
    apply -f 72-streaming/40-films.yaml
    apply -f 72-streaming/50-channel.yaml
    apply -f 72-streaming/60-origins.yaml
    wait_for --namespace=media deployment streaming-channel 'rolled out' 600
    wait_for --namespace=media deployment streaming-origin 'rolled out' 600
    wait_for --namespace=media job streaming-packager-ae13224e27 condition=Complete 1800
fi

if wanted 73-catalogue; then
    say 'Application: catalogue'
    apply -f 73-catalogue/10-network-policies.yaml
    apply -f 73-catalogue/20-certificate.yaml
    wait_for --namespace=media certificate catalogue-api condition=Ready 180
    only media catalogue-schema catalogue-schema-7ef88254d7
    apply -f 73-catalogue/40-schema.yaml
    wait_for --namespace=media job catalogue-schema-7ef88254d7 condition=Complete 900
    apply -f 73-catalogue/60-api.yaml
    wait_for --namespace=media deployment catalogue-api 'rolled out' 600
fi

if wanted 74-cdn; then
    say 'Application: cdn'
    apply -f 74-cdn/01-network-policies.yaml
    apply -f 74-cdn/02-bucket.yaml
    wait_for --namespace=media objectbucketclaim site 'jsonpath={.status.phase}=Bound' 300
    apply -f 74-cdn/04-certificate.yaml
    wait_for --namespace=media certificate cdn-edge condition=Ready 180
    apply -f 74-cdn/06-pages.yaml
    only media site-publisher site-publisher-57ef3ae62d
    apply -f 74-cdn/07-publisher.yaml
    wait_for --namespace=media job site-publisher-57ef3ae62d condition=Complete 600
    apply -f 74-cdn/09-edges.yaml
    wait_for --namespace=media deployment cdn-edge 'rolled out' 600
fi

if wanted 75-backup; then
    say 'Application: backup'
    apply -f 75-backup/10-network-policies.yaml
    only media streaming-versions streaming-versions-c8b81347df
    apply -f 75-backup/20-streaming-versions.yaml
    wait_for --namespace=media job streaming-versions-c8b81347df condition=Complete 300
    only media cdn-versions cdn-versions-cad8c5d147
    apply -f 75-backup/40-cdn-versions.yaml
    wait_for --namespace=media job cdn-versions-cad8c5d147 condition=Complete 300
fi

[ -z "$missing" ] || { echo "apply.sh: there is no stage $missing" >&2; exit 2; }
