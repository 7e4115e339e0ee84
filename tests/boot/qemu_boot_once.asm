; A boot sector that says on COM1 what it was booted from. From a floppy it resets the machine, from a disk it ends the run by port F4h.
bits 16
org 0x7c00

    xor ax, ax
    mov ds, ax
    mov si, disk
    test dl, 0x80
    jnz .known
    mov si, floppy
.known:
    call say
    cmp si, floppy
    ja .reset
    mov al, 0
    mov dx, 0xf4
    out dx, al
.reset:
    mov al, 6
    mov dx, 0xcf9
    out dx, al
.halt:
    hlt
    jmp .halt

%include "serial_text.inc"

disk: db "from the disk", 13, 10, 0
floppy: db "from the floppy", 13, 10, 0

times 510 - ($ - $$) db 0
dw 0xaa55
