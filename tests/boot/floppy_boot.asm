; Boot sector of the floppy test: prints through int 10h, reads and writes through int 13h, switches the machine off.
; Built with -DSECTORS=n -DHEADS=n -DTRACKS=n for the disk it is on.
bits 16
org 0x7c00
%define BUFFER 0x8000
start:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, start
  mov [drive], dl
  mov si, hello
  call print

  mov ax, 0x0200 | (SECTORS - 1)              ; the rest of the first track at once
  mov cx, 2
  mov dh, 0
  call disk
  mov si, BUFFER
  call print
  mov si, BUFFER + (SECTORS - 2) * 512
  call print

  mov ax, 0x0201                              ; the last sector
  mov cx, (TRACKS - 1) << 8 | SECTORS
  mov dh, HEADS - 1
  call disk
  mov si, BUFFER
  call print

  mov ax, 0x0301                              ; and a copy of it as the second
  mov cx, 2
  mov dh, 0
  call disk

  mov ah, 8                                   ; what the BIOS takes the drive for
  mov dl, [drive]
  int 0x13
  jc failed
  push dx
  push cx
  mov al, ch
  call hex
  pop ax
  call hex
  pop ax
  mov al, ah
  call hex
  mov si, done
  call print
  jmp switch_off

disk:                                         ; AX, CX, DH as int 13h wants them
  mov bx, BUFFER
  mov dl, [drive]
  int 0x13
  jc failed
  ret
failed:
  mov al, ah
  call hex
  mov si, bad
  call print
  jmp halt

%include "bios_text.inc"

drive db 0
hello db 'hello from the floppy', 13, 10, 0
done db ' done', 13, 10, 0
bad db ' failed', 13, 10, 0
  times 510 - ($ - $$) db 0
  dw 0xaa55
