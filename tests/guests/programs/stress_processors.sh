# stress-ng's stressors of schedulers, locks, shared memory and messages, four of each at once. Prints lines "result NAME STATUS".
export PATH=/usr/bin:/bin
for stressor in affinity atomic clone eventfd fault flock fork futex get hrtimers itimer kill lockbus locka lockofd mcontend \
                membarrier mmap mmapfork mremap msg mutex nanosleep pipe poll pthread rename rlimit rseq \
                schedpolicy sem sem-sysv shm shm-sysv sigchld sigfd sigio sigpending sigq sigrt sigsegv sigsuspend switch \
                sysinfo timer timerfd tlb-shootdown tmpfs vfork vm vm-rw vm-splice wait yield zombie; do
  timeout 120 stress-ng --verify --temp-path /tmp --seed 7 --"$stressor" 4 --"$stressor"-ops 200 --vm-bytes 8m --mmap-bytes 8m \
    --timeout 20 >/tmp/out 2>&1 </dev/null
  echo "result $stressor $?"
  grep -iE 'fail|error|differ' /tmp/out
done
