; A boot sector: prints the first byte of sectors 5 and 6, copies the one over the other, and ends by the debug-exit port.
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov byte [sector], 6
  call read
  call print
  mov byte [sector], 5
  call read
  call print
  mov byte [sector], 6
  mov ax, 0x4300
  mov si, packet
  int 0x13
  jc failed
  call read
  call print
  mov dx, 0xf4
  xor al, al
  out dx, al
failed:
  mov al, '!'
  call print.byte
stop:
  hlt
  jmp stop

read:
  mov ah, 0x42
  mov si, packet
  int 0x13
  jc failed
  ret

print:
  mov al, [0x8000]
.byte:
  push dx
  mov dx, 0x3f8
  out dx, al
  pop dx
  ret

align 4
packet:
  db 16, 0
  dw 1
  dw 0x8000, 0
sector:
  dq 0

times 510 - ($ - $$) db 0
dw 0xaa55
