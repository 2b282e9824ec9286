# shellcheck shell=bash
# Workload C: 60 stages, ten beside each other and six deep, that sleep and write; the critical path is one column of them.
# shellcheck disable=SC2154 # the variables of `run`

c=$scratch/c
c_sleep=2

workload_c() {
    local run width tool
    rm -rf "$c"
    "$benchmarks" stages "$c/10" 10 6 "$c_sleep"
    "$benchmarks" stages "$c/1" 1 6 "$c_sleep"
    fact C sleep - seconds "$((6 * c_sleep))"
    for ((run = 1; run <= runs; run++)); do
        for width in 10 1; do
            for tool in buildkit buildah ingot; do
                "c_$tool" "$run" "$width"
            done
        done
    done
    rm -rf "$c"
}

c_buildkit() {
    docker_forget
    measure C "width-$2" buildkit build "$1" docker_build type=image,name=c,compression=zstd,oci-mediatypes=true "$c/$2" --network none
}

c_buildah() {
    buildah_forget
    measure C "width-$2" buildah build "$1" buildah_build c "$c/$2" --network none --jobs 0
}

c_ingot() {
    ingot_forget
    measure C "width-$2" ingot build "$1" ingot_build zstd "$c/$2"
}
