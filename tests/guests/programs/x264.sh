# Encodes a clip with sets of SIMD instructions, which x264 promises to give the same stream. Prints "result NAME CHECKSUM".
export PATH=/usr/bin:/bin
encode() {
  name=$1
  shift
  x264 --threads 1 --no-progress "$@" -o /tmp/out.264 /programs/clip.y4m >/tmp/log 2>&1
  echo "result $name $? $(sha256sum </tmp/out.264 | cut -c1-32)"
  grep 'cpu capabilities' /tmp/log
}
encode medium.AVX2 --asm AVX2
encode medium.SSE2 --asm SSE2
encode medium.AVX --asm AVX
encode medium.none --preset superfast --no-asm
encode slow.AVX2 --preset slower --asm AVX2
encode lossless.AVX2 --qp 0 --asm AVX2
