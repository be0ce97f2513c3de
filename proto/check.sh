#!/bin/sh
# Checks the protos with buf: `proto/check.sh BUF`. Lint, format, and no break against the branch main.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 BUF" >&2; exit 2; }
buf=$(command -v "$1") || { echo "$0: no such program: $1" >&2; exit 2; }
buf=$(cd "$(dirname "$buf")" && pwd)/$(basename "$buf")
cd "$(dirname "$0")/.."

"$buf" lint proto
"$buf" format --diff --exit-code proto

# A clone that was made from another branch knows main only as origin's.
for main in main origin/main; do
    if git cat-file -e "$main:proto/buf.yaml" 2>/dev/null; then
        exec "$buf" breaking proto --against ".git#ref=$main,subdir=proto"
    fi
done
echo "$0: main has no protos yet, nothing to compare with"
