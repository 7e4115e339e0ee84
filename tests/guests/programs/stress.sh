# stress-ng's computing stressors, which check their own results. Prints lines "result NAME STATUS".
export PATH=/usr/bin:/bin
run() {
  name=$1
  shift
  timeout 300 stress-ng --verify --temp-path /tmp --seed 7 "$@" >/tmp/out 2>&1 </dev/null
  echo "result $name $?"
  grep -iE 'fail|error|differ' /tmp/out
}
for method in $(stress-ng --cpu-method which 2>&1 | sed 's/.*must be one of: *//; s/^.*: //'); do
  [ "$method" = all ] || run "cpu.$method" --cpu 1 --cpu-method "$method" --cpu-ops 2
done
for stressor in atomic bsearch crypt funccall goto hash heapsort hsearch jpeg judy lsearch \
                malloc matrix matrix-3d memcpy mergesort nop prefetch qsort radixsort regs rotate shellsort skiplist str \
                stack stream tree tsearch vecfp vecmath vecshuf vecwide vm wcs zlib; do
  run "$stressor" --"$stressor" 1 --"$stressor"-ops 4 --vm-bytes 8m --timeout 60
done
