# shellcheck shell=bash
# Figures: one line for each measurement, in $scratch/figures.tsv, with tabs: workload, case, tool, part, run, seconds, CPU seconds, peak KiB.
# A fact is such a line, too: workload, case, tool, "fact", its name, its value.
# shellcheck disable=SC2154 # the variables of `run`

say() {
    printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2
}

begin_figures() {
    rm -rf "$scratch/logs" "$scratch/failed"
    mkdir -p "$scratch/logs"
    printf 'workload\tcase\ttool\tpart\trun\tseconds\tcpu\tpeak\n' > "$scratch/figures.tsv"
    machine_facts
}

fact() {
    printf '%s\t%s\t%s\tfact\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >> "$scratch/figures.tsv"
}

machine_facts() {
    local name
    # shellcheck source=/dev/null
    name=$(. /etc/os-release && echo "$PRETTY_NAME")
    fact all machine - machine "$(nproc) cores ($(sed -n 's/^model name[^:]*: //p;' /proc/cpuinfo | head -n 1)), $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1000000)) GB, $name, Linux $(uname -r | sed 's/[^0-9.].*//')"
    fact all machine - date "$(LC_ALL=C date -u '+%-d %B %Y')"
    fact all machine - load "$(cut -d ' ' -f 1 /proc/loadavg)"
    fact all machine buildkit version "$(docker_ version --format '{{.Server.Version}}')"
    fact all machine buildah version "$(buildah_ --version | sed 's/^buildah version \([^ ]*\).*/\1/')"
    fact all machine ingot version "$("$program" --version)"
}

# Measures a command: workload, case, tool, part, run, then the command. What earlier commands wrote is on disk before it starts. A command that fails
# leaves no figure and is counted.
measure() {
    local workload=$1 case=$2 tool=$3 part=$4 run=$5 log started ended rusage='- -'
    shift 5
    log=$scratch/logs/$workload-$case-$tool-$part-$run.log
    rm -f "$scratch/rusage"
    sync
    started=$EPOCHREALTIME
    if ! "$@" > "$log" 2>&1; then
        say "failed: $workload, $case, $tool, $part; the end of '$log':"
        tail -n 5 "$log" >&2
        echo "$log" >> "$scratch/failed"
        return 0
    fi
    ended=$EPOCHREALTIME
    [ ! -s "$scratch/rusage" ] || rusage=$(tail -n 1 "$scratch/rusage")
    awk -v OFS='\t' -v what="$workload $case $tool $part $run" -v started="$started" -v ended="$ended" -v rusage="$rusage" 'BEGIN {
        split(what, w, " ")
        n = split(rusage, r, " ")
        print w[1], w[2], w[3], w[4], w[5], sprintf("%.3f", ended - started), n == 3 ? r[1] + r[2] : "-", n == 3 ? r[3] : "-"
    }' >> "$scratch/figures.tsv"
    say "$(tail -n 1 "$scratch/figures.tsv" | awk '{ printf "%s %s: %s %s, run %s: %.2f s", $1, $2, $3, $4, $5, $6 }')"
}
