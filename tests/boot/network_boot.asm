; What the network boot test gets by TFTP: prints its first line and what stands at its end, switches the machine off.
bits 16
org 0x7c00
  xor ax, ax
  mov ds, ax
  mov si, hello
  call print
  mov si, last
  call print
  jmp switch_off

%include "bios_text.inc"

hello db 'hello from the network', 13, 10, 0
  times 30000 - ($ - $$) db 0xcc              ; some packets
; SeaBIOS sends characters to the serial port when the next ones come.
last db 'to its end', 13, 10, 13, 10, '                ', 0
