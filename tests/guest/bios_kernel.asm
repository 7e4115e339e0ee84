; A Multiboot kernel that goes back to real mode and calls the BIOS, for `--bios seabios --kernel`. The last word of the command
; line: 1 resets the machine once before that. A flat Multiboot image: nasm -f bin. See bios_kernel.py.
bits 32
org 0x100000
%include "runtime/flat_image.inc"

STACK equ 0x7c00
REAL equ 0x8000              ; where the real-mode code goes
SECTOR equ 0x9000
VESA equ 0xa000
CMOS_BYTE equ 0x70           ; nobody's

%define real(label) (label - real_code + REAL)

  FLAT_START STACK
  COMMAND_NUMBER
  test edx, edx
  jz call_bios
  mov al, CMOS_BYTE
  out 0x70, al
  in al, 0x71
  test al, al
  jnz call_bios
  mov al, 1
  out 0x71, al
  mov al, 0xfe
  out 0x64, al
.reset:
  hlt
  jmp .reset

call_bios:
  mov esi, real_code
  mov edi, REAL
  mov ecx, real_end - real_code
  rep movsb
  jmp 0x18:real(segments_of_64k)

bits 16
real_code:
segments_of_64k:
  mov ax, 0x20
  mov ds, ax
  mov es, ax
  mov ss, ax
  lidt [real(vectors)]
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:real(real_mode)
real_mode:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, STACK
  sti

  mov bp, 1                   ; the first sector of the disk
  mov ax, 0x0201
  mov cx, 0x0001
  mov dx, 0x0080
  mov bx, SECTOR
  int 0x13
  jc fail
  cmp dword [SECTOR], 'boot'
  jne fail

  inc bp                      ; 2: the map of memory
  mov eax, 0xe820
  mov edx, 'PAMS'             ; 'SMAP', the other way round
  xor ebx, ebx
  mov ecx, 20
  mov di, VESA
  int 0x15
  jc fail
  cmp eax, 'PAMS'
  jne fail

  inc bp                      ; 3: PCI
  mov ax, 0xb101
  int 0x1a
  jc fail
  cmp edx, 'PCI '
  jne fail

  inc bp                      ; 4: the VGA BIOS, with VESA
  mov ax, 0x4f00
  mov di, VESA
  int 0x10
  cmp ax, 0x004f
  jne fail
  cmp dword [VESA], 'VESA'
  jne fail

  inc bp                      ; 5: the clock ticks
  mov ebx, [0x46c]
.tick:
  hlt
  cmp ebx, [0x46c]
  je .tick
  mov bp, 0x2a
fail:
  mov ax, bp
  out 0xf4, al
  hlt

vectors:
  dw 0x3ff
  dd 0
real_end:

bits 32
  align 8, db 0
gdt:
  dq 0
  dw 0xffff, 0, 0x9a00, 0x00cf
  dw 0xffff, 0, 0x9200, 0x00cf
  dw 0xffff, 0, 0x9a00, 0x0000
  dw 0xffff, 0, 0x9200, 0x0000
gdt_pointer:
  dw gdt_pointer - gdt - 1
  dd gdt
end:
