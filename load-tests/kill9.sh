#!/bin/sh
# Kills `vernier up` five times during traffic and compares its books with the exchange's journal.
# Usage: load-tests/kill9.sh [SCRATCH_DIRECTORY]    after: cargo build --release --workspace
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${CARGO_TARGET_DIR:-$root/target}/release
scratch=${1:-$(mktemp -d)}
mkdir -p "$scratch"
for program in vernier vernier-load; do
  [ -x "$bin/$program" ] || { echo "kill9: $bin/$program is missing: cargo build --release --workspace" >&2; exit 2; }
done
kills=${KILLS:-5}
between_s=${BETWEEN_S:-6}
export VERNIER_DATA_DIR="$scratch/data" VERNIER_BID_LISTEN=127.0.0.1:18480 VERNIER_ADMIN_LISTEN=127.0.0.1:18481
server= traffic=
cleanup() {
  for pid in $server $traffic; do kill -9 "$pid" 2>/dev/null || true; done
}
trap cleanup EXIT INT TERM

start() { # returns when it says that it is up
  rm -f "$scratch/said"
  mkfifo "$scratch/said"
  "$bin/vernier" up --no-traffic >"$scratch/said" 2>>"$scratch/server.err" &
  server=$!
  exec 3<"$scratch/said"
  while read -r line <&3; do
    case $line in "vernier is up"*) cat <&3 >>"$scratch/server.out" & return ;; esac
  done
  echo "kill9: vernier does not come up:" >&2
  cat "$scratch/server.err" >&2
  exit 1
}

start
"$bin/vernier-load" exchange --bid-url "http://$VERNIER_BID_LISTEN/bid/demo" --rate "${RATE:-150}" \
  --seconds $(((kills + 1) * between_s + 10)) --people 2000 --seed "${SEED:-1}" \
  --journal "$scratch/journal.jsonl" >"$scratch/traffic.out" 2>"$scratch/traffic.err" &
traffic=$!
round=0
while [ $round -lt "$kills" ]; do
  round=$((round + 1))
  sleep "$between_s"
  kill -9 "$server"
  wait "$server" 2>/dev/null || true
  start
  echo "kill $round: back with $(wc -l <"$scratch/journal.jsonl") lines in the exchange's journal"
done
wait "$traffic" || { echo "answers broke a rule:"; cat "$scratch/traffic.err"; }
traffic=
kill -TERM "$server"
wait "$server"
server=
cat "$scratch/traffic.out"
for stream in notices outcomes; do
  "$bin/vernier" events cat $stream >"$scratch/$stream.jsonl"
done
"$bin/vernier-load" audit --journal "$scratch/journal.jsonl" --notices "$scratch/notices.jsonl" \
  --outcomes "$scratch/outcomes.jsonl"
