; An option ROM that boots a kernel which was given beside firmware: it has the configuration device put the kernel's parts
; into memory, and jumps to its entry, in real mode or in protected mode. SeaBIOS calls it as it calls the ROM of a network
; card (BIOS Boot Specification 1.01, 3.3; Plug and Play BIOS Specification 1.0A, 3.2). machine/boot/kernel_rom.cpp fills in
; what is marked so, and the checksums.
;
; kernel_boot.inc is this, assembled: tests/tools/check_assembled.py says when it is not, and makes it.
bits 16
org 0

rom_bytes equ 2048

  db 0x55, 0xaa, rom_bytes / 512
  retf                          ; nothing to initialize
  times 6 - ($ - $$) db 0
  db 0                          ; checksum of the ROM: filled in

; --- For kernel_rom.cpp: filled in ---
  align 8, db 0
code_segment:    dw 0           ; real mode: where the kernel is entered, at offset 0
data_segment:    dw 0           ; DS, ES, FS, GS and SS
stack_offset:    dw 0
requests:        dw 0           ; how many of them
  dw request_table              ; not this one: where they go
scratch_segment: dw 0           ; 256 bytes in which no part of the kernel lies
is_protected:    dw 0           ; the kernel is entered in protected mode, with the registers below
  dw registers                  ; nor this one

  times 0x1a - ($ - $$) db 0
  dw plug_and_play

  align 4, db 0
registers:
entry_eip: dd 0
entry_eax: dd 0
entry_ebx: dd 0
entry_esi: dd 0

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

; In the scratch segment.
request_copy equ 0
gdt_register equ 16
stack_top equ 256

; As a boot loader leaves them. The descriptors say "accessed" already, because a ROM cannot be written.
code_selector equ 0x08
data_selector equ 0x10
  align 8, db 0
gdt:
  dq 0
  dw 0xffff, 0, 0x9b00, 0x00cf
  dw 0xffff, 0, 0x9300, 0x00cf
gdt_end:

boot:
  cli
  cld
  push cs
  pop ds
  mov ax, [scratch_segment]
  mov ss, ax
  mov sp, stack_top
  mov es, ax
  mov bx, [requests]
  mov si, request_table
.next:
  mov di, request_copy
  mov cx, 8
  rep movsw
  movzx eax, word [scratch_segment]
  shl eax, 4
  bswap eax                     ; big-endian, as all of the request
  mov dx, 0x518
  out dx, eax                   ; done when this is
  cmp dword [es:request_copy], 0
  jne .refused
  dec bx
  jnz .next
  cmp word [is_protected], 0
  jne enter_protected_mode

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

enter_protected_mode:
  movzx esi, word [scratch_segment]
  shl esi, 4
  xor ebp, ebp
  mov bp, cs
  shl ebp, 4                    ; where this ROM lies
  mov word [es:gdt_register], gdt_end - gdt - 1
  lea eax, [ebp + gdt]
  mov [es:gdt_register + 2], eax
  o32 lgdt [es:gdt_register]
  lea eax, [ebp + flat]
  mov ecx, cr0
  or cl, 1
  mov cr0, ecx
  push dword code_selector
  push eax
  o32 retf

bits 32
flat:
  mov ax, data_selector
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  lea esp, [esi + stack_top]
  push dword 2
  popfd
  push dword [ebp + entry_eip]
  mov eax, [ebp + entry_eax]
  mov ebx, [ebp + entry_ebx]
  mov esi, [ebp + entry_esi]
  xor ecx, ecx
  xor edx, edx
  xor edi, edi
  xor ebp, ebp
  ret

  align 16, db 0
request_table:                  ; filled in: 16 bytes for each
  times rom_bytes - ($ - $$) db 0
