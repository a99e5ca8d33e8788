#!/bin/sh
# Makes what compose.yaml needs into ./secrets, unless it is there: passwords, a key of tokens with a trader's token for a year,
# and a certificate for localhost. Containers read them as users of their own, so the files are readable; the folder is yours alone.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets/tls
chmod 700 secrets
cd secrets
random() { openssl rand -hex 24; }
url64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
[ -s redis_password ] || random >redis_password
[ -s postgres_password ] || random >postgres_password
[ -s token_key ] || random >token_key
[ -s redis_url ] || printf 'redis+sentinel://:%s@sentinel-1:26379,sentinel-2:26379,sentinel-3:26379/odds/0\n' "$(cat redis_password)" >redis_url
# A token of the role $1, as JWT by HS256.
token() {
  head=$(printf '{"alg":"HS256","typ":"JWT"}' | url64)
  body=$(printf '{"sub":"%s","role":"%s","exp":%s}' "$1" "$1" $(($(date +%s) + 31536000)) | url64)
  sign=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -hmac "$(cat token_key)" -binary | url64)
  printf '%s.%s.%s\n' "$head" "$body" "$sign"
}
[ -s prometheus_token ] || random >prometheus_token
[ -s token_trader ] || token trader >token_trader
[ -s tls/tls.crt ] || openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout tls/tls.key -out tls/tls.crt 2>/dev/null
chmod 644 redis_password redis_url postgres_password token_key prometheus_token token_trader tls/tls.crt tls/tls.key
chmod 755 tls
