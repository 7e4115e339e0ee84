; What games and demos of 16-bit systems do with a VGA, for tests/boot/demo.py, which knows what each part must show. Which it
; is says the byte at 1FCh. At the end 0 goes to the debug-exit port, or 1 if time is not what it should be.
;   1  Mode X: 320x240, unchained; a page drawn through the map mask, copied to the next one by the latches (write mode 1) and
;      shown from there, five pixels further right
;   2  12h with lines of 800 pixels, panned by 3 pixels and 5 lines; from line 300 on split, not panned; drawn by write mode 2
;      and XOR through the bit mask
;   3  13h, 60 frames in step with the retrace, the palette shifted by one color in each; 13h has 70 of them a second
;   4  text with 50 lines, a font of our own for one character, the second half of the colors instead of blinking
;   5  text with 132 columns of 8 dots, cells of all characters and colors
bits 16
org 0x7c00
DEBUG_EXIT equ 0xf4
SECTORS equ 4

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
        mov ax, 0x0200 | (SECTORS - 1)
        mov bx, 0x7e00
        mov cx, 2
        xor dh, dh
        int 0x13
        jc failed
        movzx bx, byte [part]
        add bx, bx
        jmp [parts + bx - 2]
%include "debug_exit.inc"

; AL: index, AH: value
crtc:   mov dx, 0x3d4
        out dx, ax
        ret
crtc_table:                     ; CX values from SI on
        lodsw
        call crtc
        loop crtc_table
        ret
sequencer:
        mov dx, 0x3c4
        out dx, ax
        ret
graphics:
        mov dx, 0x3ce
        out dx, ax
        ret
; AL: index, AH: value of the attribute controller, which goes on showing
attribute:
        push ax
        mov dx, 0x3da
        in al, dx
        pop ax
        mov dx, 0x3c0
        or al, 0x20
        out dx, al
        mov al, ah
        out dx, al
        ret
; Until the next vertical retrace begins
retrace:
        mov dx, 0x3da
.in:    in al, dx
        test al, 8
        jnz .in
.out:   in al, dx
        test al, 8
        jz .out
        ret
set_mode:
        int 0x10
        mov ax, 0xa000
        mov es, ax
        ret

align 2
parts:  dw mode_x, panned, palette, text, wide

times 0x1fc - ($ - $$) db 0
part:   db 1, 0
        dw 0xaa55

mode_x: mov ax, 0x13
        call set_mode
        mov ax, 0x0604          ; all four planes
        call sequencer
        mov ax, 0x0100          ; reset while the clock changes
        call sequencer
        mov dx, 0x3c2
        mov al, 0xe3            ; 25 MHz, 480 lines
        out dx, al
        mov ax, 0x0300
        call sequencer
        mov ax, 0x2c11          ; CRTC 0 to 7 may be written
        call crtc
        mov si, .timing
        mov cx, (.timing_end - .timing) / 2
        call crtc_table
        ; Pixel (x, y) has color x + 2 y mod 256.
        xor di, di
        xor bx, bx              ; y
.line:  xor cx, cx              ; plane
.plane: mov ax, 0x0102
        shl ah, cl
        call sequencer
        push di
        mov ax, bx
        add ax, ax
        add ax, cx
        push cx
        mov cx, 80
.pixel: stosb
        add al, 4
        loop .pixel
        pop cx
        pop di
        inc cx
        cmp cx, 4
        jne .plane
        add di, 80
        inc bx
        cmp bx, 240
        jne .line
        ; The page behind it, by the latches.
        mov ax, 0x0f02
        call sequencer
        mov ax, 0x4105          ; write mode 1, 256 colors
        call graphics
        push ds
        mov ax, 0xa000
        mov ds, ax
        xor si, si
        mov di, 80 * 240
        mov cx, 80 * 240
        rep movsb
        pop ds
        mov ax, 0x4005
        call graphics
        call retrace
        mov ax, 0x0c | (80 * 240 + 1) >> 8 << 8
        call crtc
        mov ax, 0x0d | ((80 * 240 + 1) & 0xff) << 8
        call crtc
        mov ax, 0x0213          ; one pixel of 256 colors is two
        call attribute
        call retrace
        jmp done
.timing:
        dw 0x0d06, 0x3e07, 0x4109, 0xea10, 0xac11, 0xdf12, 0x0014, 0xe715, 0x0616, 0xe317
.timing_end:

panned: mov ax, 0x12
        call set_mode
        mov ax, 0x3213          ; 100 bytes a line
        call crtc
        ; Bars of 8 pixels in write mode 2: byte b of a line has color b mod 16.
        mov ax, 0x0205
        call graphics
        xor di, di
        mov bx, 490
.line:  xor al, al
        mov cx, 100
.byte:  stosb
        inc al
        loop .byte
        dec bx
        jnz .line
        ; XOR with 15 of the left half of the bytes in the lines 100 to 199
        mov ax, 0x1803
        call graphics
        mov ax, 0xf008
        call graphics
        mov di, 100 * 100
        mov cx, 100 * 100
.xor:   mov al, [es:di]         ; the latches
        mov al, 15
        stosb
        loop .xor
        mov ax, 0x0003
        call graphics
        mov ax, 0xff08
        call graphics
        mov ax, 0x0005
        call graphics
        ; Line 300, in three registers, of which the other bits stay.
        mov ax, (300 & 0xff) << 8 | 0x18
        call crtc
        mov al, 0x11
        out dx, al
        inc dx
        in al, dx
        and al, 0x7f
        out dx, al
        dec dx
        mov al, 0x07
        out dx, al
        inc dx
        in al, dx
        or al, 0x10             ; bit 8
        out dx, al
        dec dx
        mov al, 0x09
        out dx, al
        inc dx
        in al, dx
        and al, 0xbf            ; bit 9
        out dx, al
        mov ax, 0x0c | (500 >> 8) << 8
        call crtc
        mov ax, 0x0d | (500 & 0xff) << 8
        call crtc
        mov ax, 0x2110          ; graphics; not panned below the split
        call attribute
        mov ax, 0x0313
        call attribute
        jmp done

palette:
        mov ax, 0x13
        call set_mode
        xor di, di
        mov bx, 200
.line:  xor al, al
        mov cx, 320
.pixel: stosb
        inc al
        loop .pixel
        dec bx
        jnz .line
        mov eax, [0x46c]        ; ticks, of which there are 18.2 a second
.tick:  cmp eax, [0x46c]
        je .tick
        mov ebp, [0x46c]
        xor bx, bx              ; frame
.frame: inc bx
        call retrace
        mov dx, 0x3c8
        xor al, al
        out dx, al
        inc dx
        xor cx, cx
.color: mov al, cl              ; color i: red i + frame, green i / 2, blue 63 - i
        add al, bl
        and al, 63
        out dx, al
        mov al, cl
        shr al, 1
        and al, 63
        out dx, al
        mov al, cl
        not al
        and al, 63
        out dx, al
        inc cx
        cmp cx, 256
        jne .color
        cmp bx, 60
        jne .frame
        ; 60 of 70 frames a second are 15.6 ticks.
        mov eax, [0x46c]
        sub eax, ebp
        cmp eax, 15
        jb failed
        cmp eax, 16
        ja failed
        jmp done

text:   mov ax, 3
        int 0x10
        mov ax, 0x1112          ; the font of 8 lines
        xor bl, bl
        int 0x10
        push cs
        pop es
        mov ax, 0x1100          ; one character of 8 bytes: the box
        mov bx, 0x0800
        mov cx, 1
        mov dx, 0xb0
        mov bp, .box
        int 0x10
        mov ax, 0x1003          ; colors, no blinking
        xor bl, bl
        int 0x10
        mov ah, 1
        mov cx, 0x2000
        int 0x10
        mov ax, 0xb800
        mov es, ax
        xor di, di
        xor bx, bx              ; cell
.cell:  mov al, 0xb0
        mov ah, bl
        stosw
        inc bx
        cmp bx, 80 * 50
        jne .cell
        jmp done
.box:   db 0xff, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0xff

wide:   mov ax, 3
        int 0x10
        mov ax, 0x1003
        xor bl, bl
        int 0x10
        mov ah, 1
        mov cx, 0x2000
        int 0x10
        mov ax, 0x0e11          ; CRTC 0 to 7 may be written
        call crtc
        mov si, .timing
        mov cx, (.timing_end - .timing) / 2
        call crtc_table
        mov ax, 0x0101          ; 8 dots
        call sequencer
        mov ax, 0xb800
        mov es, ax
        xor di, di
        xor bx, bx
.cell:  mov al, bl
        mov ah, bl
        add ah, bh
        stosw
        inc bx
        cmp bx, 132 * 25
        jne .cell
        jmp done
.timing:
        dw 0xa000, 0x8301, 0x8402, 0x8303, 0x8a04, 0x9e05, 0x4213
.timing_end:

times SECTORS * 512 - ($ - $$) db 0
