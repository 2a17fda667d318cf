# What start-noida and start-tansu share: arguments, a free port, waiting, and an orderly end.

port=0
data=
is_temporary=no

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            --port) port=$2; shift 2 ;;
            --data) data=$2; shift 2 ;;
            *) echo "$(basename "$0"): unknown argument \"$1\"" >&2; exit 64 ;;
        esac
    done
    [ "$port" != 0 ] || port=$(free_port)
    [ -n "$data" ] || { data=$(mktemp -d -t forktail-broker.XXXXXX); is_temporary=yes; }
    mkdir -p "$data"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Runs the program until it ends or this script is told to. It dies with the script in any case.
serve() {
    setpriv --pdeathsig TERM "$@" >"$data/broker.log" 2>&1 &
    local program=$!
    trap 'kill -TERM $program 2>/dev/null || true' TERM INT
    local waited=0
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        if ! kill -0 "$program" 2>/dev/null || [ $((waited += 1)) -gt 200 ]; then
            cat "$data/broker.log" >&2
            echo "$(basename "$0"): the broker does not answer on port $port" >&2
            exit 69
        fi
        sleep 0.05
    done
    echo "BOOTSTRAP 127.0.0.1:$port"
    # The first wait returns when a signal comes, the second one when the broker has ended.
    wait "$program" || true
    wait "$program" || true
    [ "$is_temporary" = no ] || rm -rf "$data"
}
