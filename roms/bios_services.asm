; What a kernel that was started directly finds behind the interrupt vectors: the ticks, the end of an interrupt for
; lines that nobody has taken yet, and of the BIOS's services those that only tell something. All others fail as the
; BIOS of a machine without the device would. Segment F000h; machine/boot/bios_area.cpp puts it there.
;
; bios_services.inc is this, assembled: tests/tools/check_assembled.py says when it is not, and makes it.
bits 16
org 0xe000

; --- For bios_area.cpp: filled in ---
extended_kib:     dw 0          ; from 1 MiB on, at most 63 MiB
kib_below_16m:    dw 0          ; from 1 MiB on
units_above_16m:  dw 0          ; of 64 KiB, below 4 GiB
e820_bytes:       dw 0
e820_table:       dw 0          ; offset of its entries, 20 bytes each

; --- For bios_area.cpp: which vector goes where; those that are not named go to `return` ---
vectors:
  dw 0x08, timer
  dw 0x09, keyboard
  dw 0x0a, end_master
  dw 0x0b, end_master
  dw 0x0c, end_master
  dw 0x0d, end_master
  dw 0x0e, end_master
  dw 0x0f, end_master
  dw 0x10, video
  dw 0x11, equipment
  dw 0x12, base_memory
  dw 0x13, disk
  dw 0x15, system
  dw 0x16, keys
  dw 0x18, restart
  dw 0x19, restart
  dw 0x1a, time
  dw 0x70, end_slave
  dw 0x71, end_slave
  dw 0x72, end_slave
  dw 0x73, end_slave
  dw 0x74, end_slave
  dw 0x75, end_slave
  dw 0x76, end_slave
  dw 0x77, end_slave
  dw 0, return

%macro bios_data 0              ; DS is saved on the stack and goes to the BIOS data area
  push ds
  push word 0x40
  pop ds
%endmacro

return:
  iret

timer:                          ; IRQ 0, 18.2 times a second
  push ax
  bios_data
  inc dword [0x6c]
  cmp dword [0x6c], 0x1800b0    ; a day
  jb .same_day
  mov dword [0x6c], 0
  inc byte [0x70]
.same_day:
  pop ds
  int 0x1c
  jmp end_of_interrupt
keyboard:                       ; IRQ 1
  push ax
  in al, 0x60
  jmp end_of_interrupt
end_slave:                      ; IRQ 8 to 15
  push ax
  mov al, 0x20
  out 0xa0, al
  jmp end_of_interrupt
end_master:                     ; IRQ 2 to 7
  push ax
end_of_interrupt:
  mov al, 0x20
  out 0x20, al
  pop ax
  iret

video:
  cmp ax, 0x1a00                ; display combination
  je .combination
  cmp ah, 0x0f                  ; mode
  je .mode
  cmp ah, 0x03                  ; cursor
  je .cursor
  cmp ah, 0x12                  ; EGA information
  jne return
  cmp bl, 0x10
  jne return
  mov bx, 0x0003                ; colour, 256 KiB
  xor cx, cx
  iret
.combination:
  mov al, 0x1a
  mov bx, 0x0008                ; a VGA with colours, nothing else
  iret
.mode:
  bios_data
  mov al, [0x49]
  mov ah, [0x4a]
  mov bh, [0x62]
  pop ds
  iret
.cursor:
  bios_data
  mov dx, [0x50]
  mov cx, [0x60]
  pop ds
  iret

equipment:
  bios_data
  mov ax, [0x10]
  pop ds
  iret

base_memory:
  bios_data
  mov ax, [0x13]
  pop ds
  iret

disk:
  mov ah, 0x01                  ; no such drive
fail:                           ; with CF
  push bp
  mov bp, sp
  or byte [bp + 6], 0x01
  pop bp
  iret
succeed:
  push bp
  mov bp, sp
  and byte [bp + 6], 0xfe
  pop bp
  iret

system:
  cmp ah, 0x88                  ; memory above 1 MiB
  je .extended
  cmp ax, 0xe801                ; the same, beyond 64 MiB
  je .e801
  cmp ax, 0xe820                ; the map of memory
  je .e820
.unsupported:
  mov ah, 0x86
  jmp fail
.extended:
  mov ax, [cs:extended_kib]
  jmp succeed
.e801:
  mov ax, [cs:kib_below_16m]
  mov bx, [cs:units_above_16m]
  mov cx, ax
  mov dx, bx
  jmp succeed
.e820:                          ; EBX: how many bytes of the table were told. ES:DI: for the next entry
  cmp edx, 0x534d4150           ; 'SMAP'
  jne .unsupported
  cmp ecx, 20
  jb .unsupported
  cmp bx, [cs:e820_bytes]
  jae .unsupported
  push ds
  push si
  push di
  push cs
  pop ds
  mov si, [e820_table]
  add si, bx
  mov cx, 20
  cld
  rep movsb
  pop di
  pop si
  add bx, 20
  cmp bx, [e820_bytes]
  jb .more
  xor ebx, ebx
.more:
  pop ds
  mov eax, 0x534d4150
  mov ecx, 20
  jmp succeed

keys:                           ; nobody types here
  and ah, 0xef                  ; functions of the enhanced keyboard, too
  cmp ah, 0x01                  ; is there a key?
  je .none
  cmp ah, 0x02                  ; shift keys
  je .shift
  xor ax, ax
  iret
.none:
  push bp
  mov bp, sp
  or byte [bp + 6], 0x40        ; ZF
  pop bp
  iret
.shift:
  bios_data
  mov al, [0x17]
  pop ds
  iret

time:
  cmp ah, 0x00                  ; ticks since midnight
  jne fail
  bios_data
  mov cx, [0x6e]
  mov dx, [0x6c]
  mov al, [0x70]
  mov byte [0x70], 0
  pop ds
  jmp succeed

restart:
  mov dx, 0xcf9
  mov al, 0x0e
  out dx, al
  ; Where that port is nobody's, a triple fault does it.
  lidt [cs:no_vectors]
  int3

no_vectors: dw 0, 0, 0
