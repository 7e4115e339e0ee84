; A boot sector in 640x480 with 16 colors whose pointer follows the BIOS's mouse (INT 15h, C2h), for tests/boot/bios_mouse.py.
;   Eight pixels from x on, line y, have color (x / 8 + y) mod 16.
;   The pointer is 8x8 pixels, in the middle at first; its pixels' colors are xored with 15, after a key with the key's
;   character modulo 16.
;   The left button leaves a copy of it there. The right one writes 0 to the debug-exit port.
bits 16
org 0x7c00
DEBUG_EXIT equ 0xf4
GRAPHICS equ 0x3ce
MAP_WRITE_MODE_2 equ 0x0205
FUNCTION_XOR equ 0x1803

start:
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
        mov ax, 0x12
        int 0x10
        mov ax, 0xa000
        mov es, ax
        mov dx, GRAPHICS
        mov ax, MAP_WRITE_MODE_2
        out dx, ax
        xor di, di
        xor bx, bx              ; y
.line:  mov ax, bx
        mov cx, 80
.byte:  stosb
        inc ax
        loop .byte
        inc bx
        cmp bx, 480
        jne .line
        mov ax, FUNCTION_XOR
        out dx, ax
        call draw

        mov ax, 0xc205          ; packets of three bytes
        mov bh, 3
        int 0x15
        jc fails
        push ds
        pop es
        mov bx, moved
        mov ax, 0xc207
        int 0x15
        jc fails
        mov ax, 0xc200
        mov bh, 1
        int 0x15
        jc fails
        mov dx, 0x2f8
        mov al, 'R'             ; ready
        out dx, al

.key:   xor ah, ah
        int 0x16
        cli
        push ax
        call draw
        pop ax
        and al, 15
        mov [color], al
        call draw
        sti
        jmp .key

fails:  mov al, 1
        out DEBUG_EXIT, al
        hlt

; From the BIOS, by a far call: status, X, Y and 0 are on the stack.
moved:  push bp
        mov bp, sp
        pusha
        push ds
        push es
        xor ax, ax
        mov ds, ax
        mov bx, [bp + 12]
        test bl, 2
        jz .stay
        out DEBUG_EXIT, al
.stay:  cmp byte [copies], 0
        jne .kept
        call draw
.kept:  mov al, [bp + 10]
        mov ah, 0
        test bl, 0x10
        jz .right
        dec ah
.right: add [x], ax
        mov al, [bp + 8]
        mov ah, 0
        test bl, 0x20
        jz .up
        dec ah
.up:    sub [y], ax
        and bl, 1
        mov [copies], bl
        call draw
        pop es
        pop ds
        popa
        pop bp
        retf

; The pointer, or what was under it.
draw:   pusha
        mov ax, 0xa000
        mov es, ax
        mov bp, 8               ; lines
        mov bx, [y]
.line:  mov si, 8               ; pixels
        mov cx, [x]
.pixel: imul di, bx, 80
        mov ax, cx
        shr ax, 3
        add di, ax
        push cx
        and cl, 7
        mov ax, 0x8008          ; the bit mask
        shr ah, cl
        mov dx, GRAPHICS
        out dx, ax
        pop cx
        mov al, [color]
        mov ah, [es:di]         ; into the latches
        mov [es:di], al
        inc cx
        dec si
        jnz .pixel
        inc bx
        dec bp
        jnz .line
        popa
        ret

x       dw 320
y       dw 240
color   db 15
copies  db 0

times 510 - ($ - $$) db 0
        dw 0xaa55
