; A Multiboot kernel (with -DMULTIBOOT2, of the second) that goes back to real mode and prints on COM1 what the BIOS's data
; and services say; it ends by jumping to the reset vector.
org 0x8000
bits 32
header:
%ifdef MULTIBOOT2
  dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
  dw 2, 0                       ; addresses
  dd 24, header, header, 0, 0
  dw 3, 0                       ; entry
  dd 12, start, 0
  dw 0, 0                       ; end
  dd 8
%else
  dd 0x1badb002, 0x00010003, -(0x1badb002 + 0x00010003)
  dd header, header, 0, 0, start
%endif
header_end:

start:
  mov edi, eax
  mov ebp, cs
  mov ebx, ds
  mov esp, 0x8000
  lgdt [gdt_pointer]
  jmp 0x08:.sixteen
bits 16
.sixteen:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:.real
.real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  lidt [idt_pointer]

  mov si, magic
  call print
  mov eax, edi
  shr eax, 16
  call hex
  mov ax, di
  call line

  mov si, selectors
  call print
  mov ax, bp
  call hex
  mov si, blank
  call print
  mov ax, bx
  call line

  mov si, base
  call print
  int 0x12
  call line

  mov si, equipment
  call print
  int 0x11
  call line

  mov si, extended
  call print
  mov ah, 0x88
  int 0x15
  call line

  mov si, entries               ; of the map of memory
  call print
  xor ebx, ebx
  xor bp, bp
.next:
  mov eax, 0xe820
  mov edx, 0x534d4150
  mov ecx, 20
  mov di, buffer
  int 0x15
  jc .no_more
  cmp eax, 0x534d4150
  jne .no_more
  inc bp
  test ebx, ebx
  jnz .next
.no_more:
  mov ax, bp
  call line

  sti                           ; the timer runs and counts
  mov ah, 0
  int 0x1a
  mov bx, dx
.wait:
  hlt
  mov ah, 0
  int 0x1a
  cmp dx, bx
  je .wait
  mov si, ticks
  call print
  int 0x21
  mov si, returns
  call print
  mov si, reset
  call print
  jmp 0xffff:0

print:                          ; the text at SI up to its zero
  lodsb
  test al, al
  jz .end
  call put
  jmp print
.end:
  ret
line:                           ; AX, and the end of the line
  call hex
  mov al, 10
put:
  push dx
  mov dx, 0x3f8
  out dx, al
  pop dx
  ret
hex:                            ; AX as four digits
  push cx
  mov cx, 4
.digit:
  rol ax, 4
  push ax
  and al, 15
  add al, '0'
  cmp al, '9'
  jbe .put
  add al, 'a' - '9' - 1
.put:
  call put
  pop ax
  loop .digit
  pop cx
  ret

magic: db 'magic ', 0
selectors: db 'selectors ', 0
blank: db ' ', 0
base: db 'base ', 0
equipment: db 'equipment ', 0
extended: db 'extended ', 0
entries: db 'entries ', 0
ticks: db 'ticks run', 10, 0
returns: db 'vector 21 returns', 10, 0
reset: db 'reset', 10, 0

  align 8
gdt:
  dq 0
  dq 0x00009b000000ffff         ; 16-bit code
  dq 0x000093000000ffff         ; 16-bit data
gdt_pointer:
  dw $ - gdt - 1
  dd gdt
idt_pointer:
  dw 0x3ff
  dd 0
buffer:
