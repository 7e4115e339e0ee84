; A boot sector that sets the video mode at offset 1FCh through the BIOS, draws, and writes 0 to the debug-exit port.
; tests/boot/graphics.py knows what each mode must show.
;   text      every cell is a full block (DBh) whose color is its column modulo 16
;   12h       40-pixel bars, whose color is their number modulo 16
;   13h       pixel = (x + y) mod 256
;   VESA      byte i of line y of the linear framebuffer = (i xor y) mod 256
bits 16
org 0x7c00
DEBUG_EXIT equ 0xf4
info equ 0x8000

start:
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
        mov bx, [mode]
        test bh, bh
        jnz vesa
        mov ax, bx
        int 0x10
        mov ax, 0xa000
        mov es, ax
        xor di, di
        cmp bl, 0x12
        je planar
        cmp bl, 0x13
        je linear

        mov ax, 0xb800
        mov es, ax
        mov ah, 1               ; the cursor must not blink in the picture
        mov cx, 0x2000
        int 0x10
        mov cx, 80 * 25
        xor bl, bl
text:   mov al, 0xdb
        mov ah, bl
        and ah, 15
        stosw
        inc bl
        cmp bl, 80
        jne .same
        xor bl, bl
.same:  loop text
        jmp done

linear: xor bx, bx              ; y
.line:  mov ax, bx
        mov cx, 320
.pixel: stosb
        inc ax
        loop .pixel
        inc bx
        cmp bx, 200
        jne .line
        jmp done

planar: mov bx, 480
.line:  xor si, si              ; bar
.bar:   mov dx, 0x3c4
        mov ax, si
        and al, 15
        mov ah, al
        mov al, 2
        out dx, ax
        mov al, 0xff
        mov cx, 5
        rep stosb
        inc si
        cmp si, 16
        jne .bar
        dec bx
        jnz .line
        jmp done

vesa:   mov ax, 0x4f01
        mov cx, bx
        mov di, info
        int 0x10
        cmp ax, 0x004f
        jne failed
        mov ax, 0x4f02
        mov bx, [mode]
        or bh, 0x40
        int 0x10
        cmp ax, 0x004f
        jne failed
        cli
        lgdt [gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov es, bx
        and al, 0xfe
        mov cr0, eax
        xor bx, bx
        mov es, bx              ; the limit stays 4 GiB
        mov edi, [info + 40]
        xor ebx, ebx            ; y
.line:  xor ecx, ecx            ; i
.byte:  mov eax, ecx
        xor eax, ebx
        mov [es:edi + ecx], al
        inc ecx
        cmp cx, [info + 16]
        jne .byte
        movzx ecx, word [info + 16]
        add edi, ecx
        inc ebx
        cmp bx, [info + 20]
        jne .line
%include "debug_exit.inc"

align 8
gdt:    dq 0
        dq 0x00cf92000000ffff
gdtr:   dw 15
        dd gdt

times 0x1fc - ($ - $$) db 0
mode:   dw 3
        dw 0xaa55
