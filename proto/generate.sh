#!/bin/sh
# Generates the Python stubs from the protos: `proto/generate.sh PYTHON`.
#
# PYTHON must have the oldest toolchain that we support (the dependency group `stubs`): stubs made by it
# load on every newer runtime, and not the other way round. A proto's package is its stubs' import path,
# so no import is rewritten. A second run changes nothing.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 PYTHON" >&2; exit 2; }
python=$(command -v "$1") || { echo "$0: no such program: $1" >&2; exit 2; }
plugins=$(cd "$(dirname "$python")" && pwd)
python=$plugins/$(basename "$python")
cd "$(dirname "$0")/.."

generate() {  # PACKAGE OUTPUT: the stubs of proto/PACKAGE into OUTPUT/PACKAGE
    mkdir -p "$2/$1"
    rm -f "$2/$1"/*_pb2.py "$2/$1"/*_pb2.pyi "$2/$1"/*_pb2_grpc.py "$2/$1"/*_pb2_grpc.pyi
    PATH="$plugins:$PATH" "$python" -W ignore -m grpc_tools.protoc --proto_path=proto \
        --python_out="$2" --grpc_python_out="$2" \
        --mypy_out=quiet:"$2" --mypy_grpc_out=quiet:"$2" \
        proto/"$1"/*.proto
}

generate fairlead/v1 clients/python
generate fix_sim/v1 fix_sim
