; Boot sector of tests/boot/storage_boot.py. Reads every block of the drive it was booted from through int 13h, function 42h,
; and writes "sum XXXXXXXX" (the sum of all words, modulo 2^32) to the first serial port; a read error gives "bad".
; BLOCKS blocks of BLOCK_BYTES bytes, CHUNK at a time (BLOCKS is a multiple of CHUNK).
org 7c00h
bits 16
        jmp 0:start
start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 7c00h
        mov [drive], dl
        cld
        xor ebp, ebp
next:   mov word [packet + 2], CHUNK
        mov si, packet
        mov dl, [drive]
        mov ah, 42h
        int 13h
        jc bad
        mov ax, 1000h
        mov es, ax
        xor di, di
        mov ecx, CHUNK * BLOCK_BYTES / 4
add:    add ebp, [es:di]
        add di, 4
        loop add
        add dword [packet + 8], CHUNK
        cmp dword [packet + 8], BLOCKS
        jb next
        mov si, sum
        call puts
        mov cx, 8
digit:  rol ebp, 4
        mov ax, bp
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe put
        add al, 'a' - '9' - 1
put:    mov dx, 3f8h
        out dx, al
        loop digit
        jmp off
bad:    mov si, wrong
        call puts
off:    mov dx, 604h  ; ACPI PM1 control: S5
        mov ax, 2000h
        out dx, ax
        hlt
puts:   lodsb
        test al, al
        jz done
        mov dx, 3f8h
        out dx, al
        jmp puts
done:   ret

align 4
packet: db 16, 0
        dw CHUNK, 0, 1000h
        dq 0
drive:  db 0
sum:    db 13, 10, "sum ", 0
wrong:  db 13, 10, "bad", 0
times 510 - ($ - $$) db 0
        dw 0aa55h
