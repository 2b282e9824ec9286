# Images that come from a registry and go to one: docs/images.md.
## needs root docker-registry busybox
## port 5000
printf '%s\n' 'version: 0.1' 'storage: { filesystem: { rootdirectory: ../registry } }' "http: { addr: \"127.0.0.1:$(here 5000)\" }" > ../registry.yml
docker-registry serve ../registry.yml > ../registry.log 2>&1 &
await curl -fs http://127.0.0.1:5000/v2/
mkdir -p root/bin root/etc root/var/lib/dpkg p2
cp "$(command -v busybox)" root/bin/busybox
ln -s busybox root/bin/sh
echo 'root:x:0:0:root:/root:/bin/sh' > root/etc/passwd
printf '%s\n' 'Package: busybox' 'Status: install ok installed' 'Architecture: amd64' 'Version: 1:1.35.0-4' > root/var/lib/dpkg/status
import_root() {
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$1" -cf base.tar . && ingot import base.tar --name "$2"
}
import_root root shop/base:1.0
cd p2
printf 'FROM 127.0.0.1:%s/team/base:1.0\nCOPY Dockerfile /srv/\n' "$(here 5000)" > Dockerfile

## step push
ingot push shop/base:1.0 127.0.0.1:5000/team/base:1.0
ingot copy 127.0.0.1:5000/team/base:1.0 127.0.0.1:5000/mirror/base
ingot pull 127.0.0.1:5000/mirror/base:1.0

## step lock
ingot build -f Dockerfile
cat ingot.lock

## step prepare-update
cd ..
echo 'web:x:101:101::/srv:/bin/sh' >> root/etc/passwd
sed -i 's/1:1.35.0-4/&+deb12u1/' root/var/lib/dpkg/status
chmod 4755 root/bin/busybox
echo hi > root/etc/motd
import_root root shop/base:1.1
ingot push shop/base:1.1 127.0.0.1:5000/team/base:1.0
cd p2

## step update
ingot build -f Dockerfile --update

## step export
ingot export p2/p2 out.tar --format docker-archive

## step prepare-import
echo name > ../hostname
tar -cPf bad.tar ../hostname

## step import exit 2
ingot import bad.tar --name bad

## step history
ingot history p2/p2

## step diff
ingot diff shop/base:1.0 shop/base:1.1

## step verify
ingot images --verify

## finally
kill %1
wait %1
