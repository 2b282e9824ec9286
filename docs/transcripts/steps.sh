# Why a step was made again, and an image built a second time: docs/cache.md, docs/reproducibility.md.
## needs root runc busybox git
busybox=$(command -v busybox)
mkdir -p root/bin && cp "$busybox" root/bin/busybox && ln -s busybox root/bin/sh
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C root -cf ../base.tar .
ingot import ../base.tar --name tools/base:1.0
mkdir -p app/src && cd app
printf 'FROM tools/base:1.0\nWORKDIR /app\nCOPY src/ /src/\nRUN ["/bin/busybox", "tac", "/src/main.go"]\n' > Dockerfile
echo 'package main' > src/main.go
git init --quiet
git add --all
git -c user.name=reader -c user.email=reader@localhost commit --quiet --message "a program"
ingot build

## step reproduce
ingot reproduce app/app

## step prepare-explain
echo 'func main() { }' >> src/main.go
echo 'package main' > src/new.go

## step explain
ingot build --explain
