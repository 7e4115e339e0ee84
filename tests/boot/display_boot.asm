; A boot sector that draws in mode 13h and tells COM2 what hands do, for tests/boot/display.py:
;   pixel (x, y) has color (x + y) mod 256; then "R" (ready) is sent
;   each key's character, up to Enter; it becomes the color of pixel (0, 0), too
;   "M", and the three bytes of the mouse's next packet; then 0 goes to the debug-exit port
bits 16
org 0x7c00
DEBUG_EXIT equ 0xf4

start:
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
        mov ax, 0x13
        int 0x10
        mov ax, 0xa000
        mov es, ax
        xor di, di
        xor bx, bx              ; y
.line:  mov ax, bx
        mov cx, 320
.pixel: stosb
        inc ax
        loop .pixel
        inc bx
        cmp bx, 200
        jne .line
        mov al, 'R'
        call send

.key:   xor ah, ah
        int 0x16
        cmp al, 13
        je mouse
        mov [es:0], al
        call send
        jmp .key

mouse:  cli
        mov al, 0xa8            ; the mouse's port on
        call command
        mov al, 0x20            ; no interrupts, both clocks on
        call command
        call next
        and al, 0xcc
        mov ah, al
        mov al, 0x60
        call command
        mov al, ah
        call data
        mov al, 0xd4            ; to the mouse: report
        call command
        mov al, 0xf4
        call data
.ack:   call next
        cmp al, 0xfa
        jne .ack
        mov al, 'M'
        call send
        mov cx, 3
.packet:
        call aux
        call send
        loop .packet
        xor al, al
        out DEBUG_EXIT, al
.halt:  hlt
        jmp .halt

; al to port 64h, or 60h, once the controller takes it
command:
        call ready
        out 0x64, al
        ret
data:   call ready
        out 0x60, al
        ret
ready:  push ax
.busy:  in al, 0x64
        test al, 2
        jnz .busy
        pop ax
        ret

; the controller's next byte
next:   in al, 0x64
        test al, 1
        jz next
        in al, 0x60
        ret

; the mouse's next byte
aux:    in al, 0x64
        and al, 0x21
        cmp al, 0x21
        je .mouse
        test al, 1
        jz aux
        in al, 0x60             ; a key comes up
        jmp aux
.mouse: in al, 0x60
        ret

send:   mov dx, 0x2f8
        out dx, al
        ret

times 510 - ($ - $$) db 0
        dw 0xaa55
