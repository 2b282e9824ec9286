# The example, from a first version to an audit: README.md and examples/shop/README.md.
## needs root dockerd haproxy mmdebstrap runc sqlite3
## slow
## port 7070
## port 8080
## port 8081
sed -i "/listen:/ { s/8081/$(here 8081)/; s/8080/$(here 8080)/ }" examples/shop/ingot.yaml
git -c user.name=reader -c user.email=reader@localhost commit --quiet --all --message "ports that are free"
ingot serve --listen 127.0.0.1:7070 > ../server.log 2>&1 &
await curl -fs http://127.0.0.1:7070/api/v1/health

## step up
./ingot up examples/shop

## step version
curl -s http://127.0.0.1:8080/version

## step versions
curl -s http://127.0.0.1:8081/version
curl -s http://127.0.0.1:8080/version
./ingot status

## step look
./ingot status
./ingot -C examples/shop explain web --stage production

## step explain
./ingot -C examples/shop explain web --stage production

## step again
./ingot up examples/shop

## step second
printf 'ING-006\tTongs\t1850\tFor what is still hot.\n' >> examples/shop/web/products.tsv
sed -i 's/1\.0\.0/1.1.0/' examples/shop/ingot.yaml
./ingot up examples/shop

## step broken exit 5
sed -i 's/1\.1\.0/1.2.0/; s/FAIL_PERCENT: "0"/FAIL_PERCENT: "20"/' examples/shop/ingot.yaml
./ingot up examples/shop
echo $?

## step audit
./ingot log show
./ingot log verify

## step elsewhere needs skopeo
skopeo inspect --tls-verify=false --format '{{.Name}} {{.Digest}}' docker://127.0.0.1:7070/shop/web:1.1.0

## step cosign needs cosign
./ingot keys export --public > ingot.pub
cosign verify --key ingot.pub --insecure-ignore-tlog=true --allow-http-registry 127.0.0.1:7070/shop/web:1.1.0

## step quarantined exit 1
./ingot status
./ingot up examples/shop

## step mended
sed -i 's/1\.2\.0/1.3.0/; s/FAIL_PERCENT: "20"/FAIL_PERCENT: "0"/' examples/shop/ingot.yaml
./ingot up examples/shop

## step rollback
./ingot -C examples/shop rollback web --stage production --why "prices are wrong"

## step asks exit 4
sed -i 's/gates: \[claims-hold\], target: docker/&, approvals: { count: 1 }/' examples/shop/ingot.yaml
sed -i 's/1\.3\.0/1.4.0/' examples/shop/ingot.yaml
./ingot up examples/shop

## step unapproved exit 4
./ingot -C examples/shop explain web --stage production

## step approved
ANN=$(./ingot tokens create ann --role approver)
INGOT_TOKEN=$ANN ./ingot -C examples/shop approve web --stage production --why "looked at it in staging"
./ingot up examples/shop

## step log
./ingot log show --from 0

## step log-verify
./ingot log verify

## step prove
./ingot log prove 14

## step down
./ingot down examples/shop
git checkout --quiet examples/shop

## step stopped
kill %1
wait %1 || true
stopped=1

## step tampered exit 1
sqlite3 /var/lib/ingot/ledger.db "UPDATE quarantine SET reason = replace(reason, 'prices', 'Prices')"
./ingot log verify

## finally
# Also where the server ended by itself: what it ran is taken away by another one.
[ -n "${stopped:-}" ] || kill -0 %1 || { ingot serve --listen 127.0.0.1:7070 > ../server.log 2>&1 & await curl -fs http://127.0.0.1:7070/api/v1/health; }
[ -n "${stopped:-}" ] || ./ingot down examples/shop
kill %%
wait
