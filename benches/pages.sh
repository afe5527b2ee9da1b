#!/bin/sh
# Start, idle and pages of the shipped folder (`cargo xtask build --release` first). Needs curl and wrk; talks to
# loopback only, keeps its data in a temporary folder and ends by itself.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
url=http://127.0.0.1:3999
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

now() { date +%s%3N; }
post() { curl -sf -b "$work/jar" -c "$work/jar" -H 'Content-Type: application/json' -d "$2" "$url$1" >/dev/null; }
start() {
  before=$(now)
  TERN_LISTEN=127.0.0.1:3999 TERN_DATA_DIR="$work/data" RUST_LOG=warn target/tern-release/tern serve &
  server=$!
  until curl -sf "$url/healthz" >/dev/null; do :; done
  started=$(($(now) - before))
}

start
first=$started
kill "$server"
wait "$server" || true
start
echo "start to first answer: $first ms with an empty folder, $started ms again"

post /api/auth/sign-up '{"email":"ann@northwind.example","password":"correct horse battery","organization":"Northwind"}'
for n in $(seq 10 59); do
  post /api/messaging-accounts "{\"provider\":\"sandbox\",\"channel\":\"sms\",\"phone_number\":\"+141555501$n\"}"
done
cookie="Cookie: tern_session=$(awk '/tern_session/ { print $7 }' "$work/jar")"

sleep 5
written() { awk '/^write_bytes/ { print $2 }' "/proc/$server/io"; }
before=$(written)
sleep 30
echo "idle: $(awk '/VmRSS/ { print $2 }' "/proc/$server/status") kB resident, $(($(written) - before)) bytes written in 30 s"

for connections in 1 8; do
  echo "--- /accounts with 50 accounts, $connections connection(s)"
  wrk -t1 -c"$connections" -d10s --latency -H "$cookie" "$url/accounts" | grep -E '50%|99%|Requests/sec|Non-2xx' || true
done
echo "after the load: $(awk '/VmRSS/ { print $2 }' "/proc/$server/status") kB resident"
