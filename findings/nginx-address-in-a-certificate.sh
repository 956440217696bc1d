#!/usr/bin/env bash
# nginx as a proxy refuses a certificate that is valid for the upstream's IP address; curl and OpenSSL accept it.
#
# Versions: nginx 1.26.3, OpenSSL 3.5 and curl 8.14 (Debian trixie).
# Seen:     an origin has a certificate with the alternative name IP:127.0.0.2. `openssl verify -verify_ip` and
#           curl take it. nginx with `proxy_ssl_verify on` and `proxy_pass https://127.0.0.2:8443` answers 502:
#           it compares the address with DNS names only. With a DNS name in the certificate and the same name in
#           `proxy_ssl_name` it works.
# Expected: who connects to an address compares it with the certificate's addresses (RFC 9110, 4.3.5).
# Output:   upstream SSL certificate does not match "127.0.0.2" while SSL handshaking to upstream
# Means:    certificates that are made for addresses (kubeadm's, a lab's) do not do behind nginx, and the usual
#           way out is to switch verification off. Each certificate of a lab carries NAME.lab as well
#           (systems/native/identity.py, drivers/clients/tls.py), and edges name it (apps/cdn/nginx.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie nginx-light curl openssl iproute2
version nginx 1.26.3
version openssl 3.5.9
version curl 8.14.1

inside <<'INSIDE'
cd /tmp
mkdir -p /var/log/nginx
authority() { # an authority, and a certificate of its for the alternative names $1
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=authority \
        -addext keyUsage=critical,keyCertSign
    openssl req -newkey rsa:2048 -nodes -keyout origin.key -out origin.csr -subj /CN=origin
    echo "subjectAltName=$1" >names
    openssl x509 -req -in origin.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out origin.crt
}
authority IP:127.0.0.2,DNS:origin.example >/dev/null 2>&1
proxy() { # proxy PORT [DIRECTIVE]
    echo "server { listen 127.0.0.1:$1; location / { proxy_pass https://127.0.0.2:8443; ${2:-}
        proxy_ssl_verify on; proxy_ssl_trusted_certificate /tmp/ca.crt; } }"
}
cat >nginx.conf <<CONF
pid /tmp/nginx.pid; error_log /tmp/nginx.log; events {}
http {
    access_log off;
    server {
        listen 127.0.0.2:8443 ssl; ssl_certificate /tmp/origin.crt; ssl_certificate_key /tmp/origin.key;
        location / { return 200 "page\n"; }
    }
    $(proxy 8081)
    $(proxy 8082 'proxy_ssl_name origin.example;')
}
CONF
nginx -c /tmp/nginx.conf
status() { curl -s -o /dev/null -m 10 -w '%{http_code}' "$@"; }
expect "openssl" "origin.crt: OK" "$(openssl verify -verify_ip 127.0.0.2 -CAfile ca.crt origin.crt)"
expect "curl" 200 "$(status --cacert ca.crt https://127.0.0.2:8443/)"
expect "nginx, by the address" 502 "$(status http://127.0.0.1:8081/)"
expect_text "its log" 'upstream SSL certificate does not match "127.0.0.2"' "$(cat nginx.log)"
expect "nginx, by a name" 200 "$(status http://127.0.0.1:8082/)"
kill -QUIT "$(cat nginx.pid)"
verdict
INSIDE
