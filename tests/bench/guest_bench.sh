#!/bin/sh
# Runs in the guest as reprise.exec: every workload between two marker lines, which the host times.
cd /bench
echo "BENCH userland"
for name in integer gzip sha256sum awk sort; do
  echo "BENCH start $name"
  sh ./$name.sh > /tmp/result
  set -- $(md5sum < /tmp/result)
  echo "BENCH end $name $1"
done
echo "BENCH start uml"
uml -q 'echo inside' > /tmp/result
echo "BENCH end uml $(tr -d '\r' < /tmp/result | tail -n 1)"
