; A kernel of an old Linux boot protocol that says what its boot loader told it, through int 10h, and switches the machine
; off. Built with -DVERSION=0x0200 and the like, and -DHIGH=1 for a bzImage.
bits 16
org 0
  times 0x1f1 - ($ - $$) db 0
  db 2                          ; setup sectors
  dw 0
  dd (kernel_end - kernel) / 16
  dw 0, 0, 0
  dw 0xaa55
  jmp short setup
  db 'HdrS'
  dw VERSION
  dd 0
  dw 0, 0
loader:      db 0
load_flags:  db HIGH
  dw 0
%if HIGH
  dd 0x100000
%else
  dd 0x1000
%endif
initrd:      dd 0
initrd_size: dd 0
  dd 0
heap_end:    dw 0
  dw 0
command_line: dd 0
  dd 0x37ffffff

setup:
  mov si, hello
  call print
%if VERSION >= 0x0202
  mov eax, [command_line]
  shr eax, 4
  mov fs, ax
  xor si, si
%else
  cmp word [0x20], 0xa33f
  jne halt
  mov ax, ds
  mov fs, ax
  mov si, [0x22]
%endif
  call print_far
  mov si, colon
  call print
%if HIGH
  push ds
  pop es
  mov si, descriptors
  mov ax, ds
  movzx eax, ax
  shl eax, 4
  add eax, kernel_copy
  mov [descriptors + 0x1a], ax
  shr eax, 16
  mov [descriptors + 0x1c], al
  mov cx, 16
  mov ah, 0x87
  int 0x15
  jc halt
  mov ax, ds
  mov fs, ax
  mov si, kernel_copy
%else
  mov ax, 0x1000
  mov fs, ax
  xor si, si
%endif
  call print_far
  cmp dword [initrd_size], 0
  je .no_initrd
  mov si, colon
  call print
  mov eax, [initrd]
  mov [descriptors + 0x12], ax
  shr eax, 16
  mov [descriptors + 0x14], al
  mov [descriptors + 0x17], ah
  mov ax, ds
  movzx eax, ax
  shl eax, 4
  add eax, kernel_copy
  mov [descriptors + 0x1a], ax
  shr eax, 16
  mov [descriptors + 0x1c], al
  push ds
  pop es
  mov si, descriptors
  mov cx, 8
  mov ah, 0x87
  int 0x15
  jc halt
  mov si, kernel_copy
  call print
.no_initrd:
  mov si, end
  call print
  mov dx, 0x3fd                 ; what SeaBIOS printed on COM1, too, is out
.sending:
  in al, dx
  test al, 0x40
  jz .sending
  mov dx, 0x604                 ; PM1a control: soft off
  mov ax, 0x2000
  out dx, ax
halt:
  hlt
  jmp halt

print:                          ; the text at DS:SI up to its zero
  mov ax, ds
  mov fs, ax
print_far:                      ; at FS:SI
  fs lodsb
  test al, al
  jz .end
  mov ah, 0x0e
  mov bx, 7
  int 0x10
  jmp print_far
.end:
  ret

hello: db 'kernel: ', 0
colon: db ' : ', 0
end: db ' : done; SeaBIOS keeps the last one back', 0

  align 8
descriptors:                    ; int 15h, 87h: none, GDT, source, target, BIOS's two
  times 16 db 0
  dw 0xffff, 0x0000
  db 0x10, 0x93, 0, 0           ; 1 MiB
  dw 0xffff, 0
  db 0, 0x93, 0, 0
  times 16 db 0
  times 1536 - ($ - $$) db 0
kernel_copy equ 1536

kernel:
  db 'protected-mode part', 0
  times 64 - ($ - kernel) db 0
kernel_end:
