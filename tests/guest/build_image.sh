#!/bin/bash
# usage: [EXTRA_CFLAGS=...] build_image.sh 32|64 OUTPUT.elf SOURCE...
# Compiles freestanding C (.c) and NASM (.asm) sources with the shared runtime into a Multiboot ELF32 image.
set -euo pipefail
bits=$1 output=$2
shift 2
here=$(dirname "$(readlink -f "$0")")
work=$output.dir
mkdir -p "$work"

flags=(-std=gnu11 -O1 -Wall -Wextra -Werror -Wno-clobbered -ffreestanding -nostdlib -fno-pic -mno-red-zone
  -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-strict-aliasing
  -I "$here" ${EXTRA_CFLAGS:-})
objects=()
for source in "$here/runtime/start$bits.asm" "$here/runtime/guest.c" "$@"; do
  object=$work/$(basename "$source").o
  case $source in
    *.asm) nasm -I "$here/" -f "elf$bits" -o "$object" "$source" ;;
    *.c) gcc "-m$bits" "${flags[@]}" -c -o "$object" "$source" ;;
  esac
  objects+=("$object")
done
emulation=$([[ $bits == 64 ]] && echo elf_x86_64 || echo elf_i386)
ld -m "$emulation" -z noexecstack --no-warn-rwx-segments --build-id=none -T "$here/runtime/guest.ld" \
  -o "$work/linked" "${objects[@]}"
objcopy -O elf32-i386 --strip-debug "$work/linked" "$output"
