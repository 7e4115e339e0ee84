; An option ROM that boots a kernel through its real-mode entry: it has the configuration device put the kernel's parts
; into memory, and jumps. SeaBIOS calls it as it calls the ROM of a network card (BIOS Boot Specification 1.01, 3.3; Plug
; and Play BIOS Specification 1.0A, 3.2). machine/boot/real_mode.cpp fills in what is marked so, and the checksums.
;
; real_mode_boot.inc is this, assembled: tests/tools/check_assembled.py says when it is not, and makes it.
bits 16
org 0

rom_bytes equ 512

  db 0x55, 0xaa, rom_bytes / 512
  retf                          ; nothing to initialize
  times 6 - ($ - $$) db 0
  db 0                          ; checksum of the ROM: filled in

; --- For real_mode.cpp: filled in ---
  align 8, db 0
code_segment:  dw 0             ; where the kernel's real-mode part is entered, at offset 0
data_segment:  dw 0             ; DS, ES, FS, GS and SS
stack_offset:  dw 0
requests:      dw 0             ; how many of them
  dw request_table              ; not this one: where they go

  times 0x1a - ($ - $$) db 0
  dw plug_and_play

plug_and_play:
  db '$PnP', 1, plug_and_play_end - plug_and_play >> 4
  dw 0                          ; no further header
  db 0
  db 0                          ; checksum of this header: filled in
  dd 0                          ; device
  dw 0                          ; manufacturer
  dw product
  db 0, 0, 0                    ; type
  db 0x14                       ; boots as an initial program loader; the ROM may be cached
  dw 0, 0                       ; no boot connection, no disconnect
  dw boot
  dw 0, 0
plug_and_play_end:

product: db 'kernel', 0

; Below the kernel's parts, above what SeaBIOS has there.
request_copy equ 0x7000
stack_top equ 0x7000

boot:
  cli
  cld
  xor ax, ax
  mov ss, ax
  mov sp, stack_top
  mov es, ax
  push cs
  pop ds
  mov bx, [requests]
  mov si, request_table
.next:
  mov di, request_copy
  mov cx, 8
  rep movsw
  mov eax, (request_copy >> 8) << 16 | (request_copy & 0xff) << 24  ; big-endian, as all of the request
  mov dx, 0x518
  out dx, eax                   ; done when this is
  cmp dword [es:request_copy], 0
  jne .refused
  dec bx
  jnz .next

  mov ax, [data_segment]
  mov cx, [code_segment]
  mov dx, [stack_offset]
  mov ss, ax
  mov sp, dx
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  push cx
  push word 0
  retf
.refused:
  hlt
  jmp .refused

  align 16, db 0
request_table:                  ; filled in: 16 bytes for each
  times rom_bytes - ($ - $$) db 0
