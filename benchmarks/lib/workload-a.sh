# shellcheck shell=bash
# Workload A: a large context. 20,000 files of 280 MB, one small file, and a command that copies a hundred of the files.
# shellcheck disable=SC2154 # the variables of `run`

a=$scratch/a
a_files=20000

prepare_a() {
    # Anew each time: files were changed the last time.
    rm -rf "$a"
    "$benchmarks" files "$a/files" "$a_files" 267
    echo small > "$a/small.txt"
    cat > "$a/Dockerfile" << 'END'
FROM base
COPY files /srv/files
COPY small.txt /srv/small.txt
RUN mkdir /srv/picked && find /srv/files -name 'f*[02468]00' -exec cp -t /srv/picked {} +
END
    warm "$a"
}

# Nobody reads from the disk while the clock runs.
warm() {
    find "$1" -type f -exec cat {} + > /dev/null
}

workload_a() {
    local run tool
    prepare_a
    for ((run = 1; run <= runs; run++)); do
        a_cold "$run"
    done
    for ((run = 1; run <= runs; run++)); do
        for tool in buildkit buildah ingot; do
            "a_$tool" unchanged "$run"
        done
        measure A launcher ingot build "$run" launched "$a"
    done
    for ((run = 1; run <= runs; run++)); do
        change_file "$run"
        for tool in buildkit buildah ingot; do
            "a_$tool" one-file "$run"
        done
    done
    for ((run = 1; run <= runs; run++)); do
        echo "small $run" > "$a/small.txt"
        for tool in buildkit buildah ingot; do
            "a_$tool" small-file "$run"
        done
    done
    for ((run = 1; run <= runs; run++)); do
        a_cold_gzip "$run"
    done
    rm -rf "$scratch/out"
}

launched() {
    ./ingot -C "$1" build --file "$1/Dockerfile" --compression zstd --source-date-epoch "$epoch"
}

# Another file each time, deep in the list, with another size.
change_file() {
    local number=$((7919 * $1 % a_files)) path
    path=$(find "$a/files" -name "$(printf 'f%05d' "$number")")
    echo "changed $1" >> "$path"
}

# BuildKit's exporter of images refuses to rewrite timestamps when everything is done, because dockerd always unpacks as well: only the one that writes
# an OCI layout does it. What the refused one took is measured, too, for it writes less.
a_cold() {
    local run=$1
    docker_forget && rm -rf "$scratch/out"
    measure A cold buildkit build "$run" docker_build "type=oci,tar=false,dest=$scratch/out,compression=zstd,rewrite-timestamp=true" "$a" --network none
    docker_forget
    measure A cold-refused buildkit build "$run" refused docker_build "type=image,name=a,compression=zstd,oci-mediatypes=true,rewrite-timestamp=true" "$a" --network none
    buildah_forget && rm -rf "$scratch/out"
    a_buildah cold "$run"
    ingot_forget imported
    measure A cold-imported ingot build "$run" ingot_build zstd "$a"
    ingot_forget
    measure A cold ingot build "$run" ingot_build zstd "$a"
    docker_forget
    a_buildkit cold-times "$run"
}

a_cold_gzip() {
    local run=$1
    docker_forget
    measure A cold-gzip buildkit build "$run" docker_build type=image,name=a,compression=gzip,oci-mediatypes=true "$a" --network none
    buildah_forget && rm -rf "$scratch/out"
    measure A cold-gzip buildah build "$run" buildah_build a "$a" --network none
    measure A cold-gzip buildah push "$run" buildah_ push --quiet --compression-format gzip a "oci:$scratch/out"
    ingot_forget
    measure A cold-gzip ingot build "$run" ingot_build gzip "$a"
}

# True when a command failed for the reason that is known.
refused() {
    local output
    output=$("$@" 2>&1) && return 1
    printf '%s\n' "$output"
    grep -q 'conflicts with "unpack"' <<< "$output"
}

a_buildkit() {
    measure A "$1" buildkit build "$2" docker_build type=image,name=a,compression=zstd,oci-mediatypes=true "$a" --network none
}

a_buildah() {
    measure A "$1" buildah build "$2" buildah_build a "$a" --network none
    measure A "$1" buildah push "$2" buildah_ push --quiet --compression-format zstd a "oci:$scratch/out"
}

a_ingot() {
    measure A "$1" ingot build "$2" ingot_build zstd "$a"
}

# Where the time goes: cold builds with each line of their progress stamped, and what reading, hashing and compressing the same files takes by itself, on one
# core and on all.
workload_profile() {
    local run codec
    [ -e "$a/Dockerfile" ] || prepare_a
    warm "$a"
    for ((run = 1; run <= runs; run++)); do
        for codec in zstd gzip; do
            ingot_forget
            measure profile "$codec" ingot build "$run" stamped "$run" "$codec"
            # shellcheck disable=SC2024 # the file is this run's
            taskset --cpu-list 0 "$benchmarks" floor "$a/files" "$codec" | floor_facts "$codec-one" "$run"
            "$benchmarks" floor "$a/files" "$codec" | floor_facts "$codec-all" "$run"
        done
    done
}

floor_facts() {
    local part seconds
    while IFS=$'\t' read -r part seconds; do
        fact profile "$1" floor "$part" "$seconds"
    done
}

# The moment at which each line of progress came, in seconds after the start.
stamped() {
    local started=$EPOCHREALTIME line
    ingot_build "$2" "$a" > >(
        while IFS= read -r line; do
            fact profile "$2" ingot "$line" "$(awk -v from="$started" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.3f", to - from }')"
        done
    )
}
