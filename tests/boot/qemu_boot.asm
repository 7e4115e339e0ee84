; A boot sector for QEMU's command line: writes its second sector, says a line on COM1, and ends the run with the first byte of that
; sector as the value at port F4h.
bits 16
org 0x7c00

    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov [drive], dl
    mov ah, 2              ; read sector 2 to 7E00h
    call sector
    mov bl, [0x7e00]
    push bx
    inc byte [0x7e00]
    mov ah, 3              ; and write it, one more in its first byte
    call sector
    mov si, line
    call say
    pop ax
    mov dx, 0xf4
    out dx, al
.halt:
    hlt
    jmp .halt

sector:
    mov al, 1
    mov bx, 0x7e00
    mov cx, 2
    mov dh, 0
    mov dl, [drive]
    int 0x13
    ret

%include "serial_text.inc"

drive: db 0
line: db "the boot sector is here", 13, 10, 0

times 510 - ($ - $$) db 0
dw 0xaa55
db 0x10
times 1024 - ($ - $$) db 0
