#!/bin/sh
# Runs in the guest as reprise.exec: the workloads that the kernel command line names (bench=NAME,NAME...).
# "uml" boots user-mode Linux to its power-off; everything else is bench_run's.
echo "BENCH userland"
names=$(sed -n 's/.*bench=\([^ ]*\).*/\1/p' /proc/cmdline | tr ',' ' ')
case " $names " in
  *" uml "*)
    echo "BENCH start uml"
    uml -q 'echo inside' > /tmp/result
    echo "BENCH end uml"
    echo "BENCH result uml $(tr -d '\r' < /tmp/result | tail -n 1)" ;;
esac
names=$(echo "$names" | tr ' ' '\n' | grep -vx uml)
[ -z "$names" ] || /bench/bench_run /bench $names
