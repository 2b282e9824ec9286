# shellcheck shell=bash
# Workload D: an image of 2 GB whose last, small layer is new: exported to an archive, and pushed to a registry that has the rest.
# shellcheck disable=SC2154 # the variables of `run`

d=$scratch/d

prepare_d() {
    local part
    if [ ! -e "$d.done" ]; then
        say "writing the files of workload D"
        rm -rf "$d"
        for part in 0 1 2 3; do
            "$benchmarks" files "$d/files-$part" 500 440 "$part"
        done
        touch "$d.done"
    fi
    {
        echo 'FROM base'
        for part in 0 1 2 3; do
            echo "COPY files-$part /srv/files-$part"
        done
        echo 'COPY small.txt /srv/small.txt'
    } > "$d/Dockerfile"
    warm "$d"
}

workload_d() {
    local run
    prepare_d
    docker_forget
    buildah_forget
    ingot_forget
    for ((run = 0; run <= runs; run++)); do
        echo "small $run" > "$d/small.txt"
        d_build "$run"
        rm -f "$scratch"/d-*.tar
        d_push "$run"
        # The first time everything goes over; that is no measurement.
        [ "$run" -gt 0 ] || continue
        measure D export buildkit export "$run" docker_ save --output "$scratch/d-docker.tar" "127.0.0.1:$port/docker/d"
        measure D export buildah export "$run" buildah_ push --quiet "127.0.0.1:$port/buildah/d" "oci-archive:$scratch/d-buildah.tar"
        measure D export ingot export "$run" ingot_ export d "$scratch/d-ingot.tar" --format oci-archive
        fact D export ingot bytes "$(stat -c %s "$scratch/d-ingot.tar")"
    done
    rm -f "$scratch"/d-*.tar
}

d_build() {
    say "building the image of workload D, run $1"
    docker_build "type=image,name=127.0.0.1:$port/docker/d,compression=zstd,oci-mediatypes=true" "$d" --network none > "$scratch/logs/D-docker-$1.log" 2>&1
    buildah_build "127.0.0.1:$port/buildah/d" "$d" --network none > "$scratch/logs/D-buildah-$1.log" 2>&1
    ingot_build zstd "$d" > "$scratch/logs/D-ingot-$1.log" 2>&1
}

d_push() {
    local case=push
    [ "$1" -gt 0 ] || case=push-all
    measure D "$case" buildkit push "$1" docker_ push --quiet "127.0.0.1:$port/docker/d"
    measure D "$case" buildah push "$1" buildah_ push --quiet --tls-verify=false --compression-format zstd "127.0.0.1:$port/buildah/d" "docker://127.0.0.1:$port/buildah/d"
    measure D "$case" ingot push "$1" ingot_ push d "127.0.0.1:$port/ingot/d"
}
