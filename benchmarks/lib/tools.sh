# shellcheck shell=bash
# The three builders. BuildKit (in dockerd), buildah and a registry are those of Debian 13; they run in a root filesystem, a mount and a process namespace of their
# own, where this run's directory has the same name. Ingot is built from this checkout. All of them keep what they have below $scratch.
# shellcheck disable=SC2154 # the variables of `run`

epoch=315532800
base=docker.io/library/base:latest
peers_pid=
peers=()

prepare_tools() {
    export GIT_CEILING_DIRECTORIES=$scratch
    scripts/prerequisites benchmarks/prerequisites.tsv src/Ingot/Tools/prerequisites.tsv
    say "building ingot"
    ./ingot --version > /dev/null
    program=$repository/artifacts/ingot/$(< artifacts/ingot/current)/Ingot.Cli
    local dotnet
    dotnet=$(readlink -f -- "$(command -v dotnet)")
    export DOTNET_ROOT=${DOTNET_ROOT:-${dotnet%/*}}
    dotnet build benchmarks/Ingot.Benchmarks --configuration Release --nologo --verbosity quiet --consoleLoggerParameters:NoSummary -p:RunAnalyzers=false
    benchmarks=$repository/artifacts/bin/Ingot.Benchmarks/release/Ingot.Benchmarks
    prepare_root
    prepare_base
}

# Once: the root filesystem of the others. netavark is not used, but buildah does not start without it.
prepare_root() {
    [ ! -e "$scratch/trixie.done" ] || return 0
    say "making the root filesystem of the other builders"
    rm -rf "$scratch/trixie"
    mmdebstrap --quiet --variant=minbase --include=docker.io,docker-cli,docker-buildx,buildah,netavark,docker-registry,ca-certificates trixie "$scratch/trixie"
    touch "$scratch/trixie.done"
}

# Once: the base, 175 MB, and a home of Ingot that has it. A build that starts with it has run there, as the others unpack a base when they get it.
prepare_base() {
    [ ! -e "$scratch/base.done" ] || [ "$(< "$scratch/base.done")" != "$program" ] || return 0
    if [ ! -e "$scratch/base.tar" ]; then
        say "making the base image"
        SOURCE_DATE_EPOCH=$epoch mmdebstrap --quiet --variant=minbase --skip=output/dev,output/mknod --include=ca-certificates,netbase,procps bookworm "$scratch/base.new.tar"
        mv "$scratch/base.new.tar" "$scratch/base.tar"
    fi
    rm -rf "$scratch/ingot"
    mkdir -p "$scratch/ingot/unpack"
    ingot_home imported
    ingot_ import "$scratch/base.tar" --name "$base" > /dev/null
    ingot_ export "$base" "$scratch/base-oci.tar" --format oci-archive > /dev/null
    cp -a "$scratch/ingot/imported" "$scratch/ingot/prepared"
    ingot_home prepared
    printf 'FROM base\nRUN true\n' > "$scratch/ingot/unpack/Dockerfile"
    ingot_build zstd "$scratch/ingot/unpack" > /dev/null
    echo "$program" > "$scratch/base.done"
}

start_tools() {
    mkdir -p "$scratch/docker" "$scratch/buildah"
    rm -rf "$scratch/docker/data" "$scratch/buildah/root" "$scratch/registry" "$scratch/docker/socket"
    find_port
    printf '%s' '{"features":{"containerd-snapshotter":true},"iptables":false,"ip6tables":false,"bridge":"none","ip-forward":false,"ip-masq":false}' > "$scratch/docker/daemon.json"
    printf 'version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:%s\n' "$scratch/registry" "$port" > "$scratch/registry.yml"
    cp -L /etc/resolv.conf "$scratch/trixie/etc/resolv.conf"
    # All of it ends with the first process of its process namespace.
    unshare --mount --propagation private --pid --fork --kill-child=KILL bash -euc '
        scratch=$1
        mount --bind "$scratch/trixie" "$scratch/trixie"
        cd "$scratch/trixie"
        mkdir -p "./$scratch" old
        mount --bind "$scratch" "./$scratch"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        mount -t tmpfs tmpfs run
        mount -t tmpfs tmpfs tmp
        pivot_root . old
        umount -l old
        docker-registry serve "$scratch/registry.yml" > "$scratch/registry.log" 2>&1 &
        dockerd --config-file "$scratch/docker/daemon.json" --data-root "$scratch/docker/data" --exec-root /run/benchmarks --pidfile /run/dockerd.pid --host "unix://$scratch/docker/socket" &
        trap "kill %2; wait %2" TERM
        wait %2
    ' sh "$scratch" > "$scratch/docker/log" 2>&1 9>&- &
    peers_pid=$!
    local inner
    for _ in {1..100}; do
        inner=$(pgrep -P "$peers_pid" | head -n 1) || true
        peers=(nsenter --mount --pid --target "${inner:-0}")
        [ -n "$inner" ] && [ -S "$scratch/docker/socket" ] && docker_ version > /dev/null 2>&1 && break
        sleep 0.2
    done
    if ! docker_ version > /dev/null 2>&1; then
        tail -n 20 "$scratch/docker/log" >&2
        echo "error: dockerd of Debian 13 did not start; its messages are in '$scratch/docker/log'" >&2
        return 3
    fi
    docker_ load --input "$scratch/base-oci.tar" > /dev/null
    buildah_ pull --quiet "oci-archive:$scratch/base-oci.tar" > /dev/null
}

stop_tools() {
    [ -n "$peers_pid" ] || return 0
    local inner
    inner=$(pgrep -P "$peers_pid" | head -n 1) || true
    [ -z "$inner" ] || kill -TERM "$inner" 2> /dev/null || true
    for _ in {1..50}; do
        kill -0 "$peers_pid" 2> /dev/null || break
        sleep 0.2
    done
    kill -KILL "$peers_pid" 2> /dev/null || true
    wait "$peers_pid" 2> /dev/null || true
    peers_pid=
    rm -rf "$scratch/docker/data" "$scratch/buildah/root" "$scratch/registry" "$scratch/ingot/home" "$scratch/ingot/differences" "$scratch/a" "$scratch/b" "$scratch/c" "$scratch/out" "$scratch"/d-*.tar
}

find_port() {
    for port in {5810..5899}; do
        (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || return 0
    done
    echo "error: no port between 5810 and 5899 is free for a registry" >&2
    return 3
}

docker_() {
    "${peers[@]}" env "DOCKER_HOST=unix://$scratch/docker/socket" "SOURCE_DATE_EPOCH=$epoch" docker "$@"
}

# A build by BuildKit: the output, the context, further options.
docker_build() {
    local output=$1 context=$2
    shift 2
    docker_ buildx build --progress plain --provenance=false --output "$output" "$@" "$context" < /dev/null
}

docker_forget() {
    docker_ builder prune --all --force > /dev/null 2>&1 || true
    local images
    images=$(docker_ images --format '{{.Repository}}:{{.Tag}}' | grep -v '^base:' || true)
    # shellcheck disable=SC2086 # names
    [ -z "$images" ] || docker_ rmi --force $images > /dev/null 2>&1 || true
}

buildah_() {
    "${peers[@]}" buildah --root "$scratch/buildah/root" --runroot "$scratch/buildah/run" --storage-driver overlay "$@"
}

# Limits that nobody may raise here must not be raised in a step either.
buildah_build() {
    local name=$1 context=$2
    shift 2
    buildah_ build --layers --timestamp "$epoch" --runtime runc --pull=never --ulimit "nofile=$(ulimit -Hn)" --ulimit "nproc=$(ulimit -Hu)" --tag "$name" "$@" "$context" < /dev/null
}

buildah_forget() {
    buildah_ rm --all > /dev/null 2>&1 || true
    local images
    images=$(buildah_ images --format '{{.Name}}:{{.Tag}}' | grep -v -e '/base:' -e '<none>' || true)
    # shellcheck disable=SC2086 # names
    [ -z "$images" ] || buildah_ rmi --force $images > /dev/null 2>&1 || true
    buildah_ rmi --prune --force > /dev/null 2>&1 || true
}

ingot_home() {
    export INGOT_HOME=$scratch/ingot/$1
}

ingot_() {
    /usr/bin/time -f '%U %S %M' -o "$scratch/rusage" "$program" "$@" < /dev/null
}

# A build by Ingot: the compression, the context, further options. The image has the context's name.
ingot_build() {
    local compression=$1 context=$2
    shift 2
    ingot_ -C "$context" build --file "$context/Dockerfile" --compression "$compression" --source-date-epoch "$epoch" "$@"
}

# A home that has the base and nothing else: a copy of `prepared`, or of `imported`, in which nothing has been built yet.
ingot_forget() {
    rm -rf "$scratch/ingot/home"
    cp -a "$scratch/ingot/${1:-prepared}" "$scratch/ingot/home"
    ingot_home home
}
