# shellcheck shell=bash
# Workload B: whether cold builds of a step that installs packages come to one digest.
# shellcheck disable=SC2154 # the variables of `run`

b=$scratch/b

prepare_b() {
    rm -rf "$b"
    mkdir -p "$b/context"
    cat > "$b/context/Dockerfile" << 'END'
FROM base
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light python3-minimal && rm -rf /var/lib/apt/lists/*
END
}

workload_b() {
    local run times=20
    ! $quick || times=3
    prepare_b
    for run in 1 2; do
        docker_forget
        measure B cold buildkit build "$run" docker_build "type=oci,tar=false,dest=$b/buildkit-$run,compression=zstd,rewrite-timestamp=true" "$b/context" --allow network.host --network host
        b_digest buildkit "$run" "$b/buildkit-$run"
        buildah_forget
        measure B cold buildah build "$run" buildah_build b "$b/context" --network host
        measure B cold buildah push "$run" buildah_ push --quiet --compression-format zstd b "oci:$b/buildah-$run"
        b_digest buildah "$run" "$b/buildah-$run"
    done
    for ((run = 1; run <= times; run++)); do
        b_ingot "$run"
    done
    b_differences buildkit
    b_differences buildah
    rm -rf "$b"
}

# Another directory, another home, another umask, locale and time zone each time; on one core every third time.
b_ingot() {
    local run=$1 place="$b/place-$1/$RANDOM" masks=(022 027 077 002 000) locales=(C C.UTF-8 POSIX) zones=(UTC Asia/Tokyo America/St_Johns)
    local cores=()
    [ $((run % 3)) -ne 0 ] || cores=(taskset --cpu-list 0)
    mkdir -p "$place"
    cp -a "$scratch/ingot/prepared" "$place/home"
    (
        umask "${masks[run % 5]}"
        mkdir "$place/context"
        cat "$b/context/Dockerfile" > "$place/context/Dockerfile"
        export INGOT_HOME=$place/home LC_ALL=${locales[run % 3]} TZ=${zones[run / 3 % 3]}
        measure B cold ingot build "$run" "${cores[@]}" "$program" -C "$place/context" --output json build --file "$place/context/Dockerfile" --compression zstd --source-date-epoch "$epoch"
    )
    fact B digest ingot "$run" "$(grep -o '"digest": *"sha256:[0-9a-f]*"' "$scratch/logs/B-cold-ingot-build-$run.log" | grep -o 'sha256:[0-9a-f]*' | head -n 1)"
    [ "$run" -le 2 ] || rm -rf "$place"
}

# The digest of the manifest that a layout holds.
b_digest() {
    [ ! -e "$3/index.json" ] || fact B digest "$1" "$2" "$(grep -o 'sha256:[0-9a-f]*' "$3/index.json" | head -n 1)"
}

# The files in which the first two images of a builder differ.
b_differences() {
    local tool=$1 run
    ingot_home differences
    for run in 1 2; do
        [ -e "$b/$tool-$run/index.json" ] || return 0
        ingot_ import "$b/$tool-$run" --name "$tool:$run" > "$scratch/logs/B-import-$tool-$run.log" 2>&1 || return 0
    done
    "$benchmarks" differences "$INGOT_HOME/content" "$tool:1" "$tool:2" | while IFS= read -r path; do
        fact B differs "$tool" path "$path"
    done
    rm -rf "$scratch/ingot/differences"
}
