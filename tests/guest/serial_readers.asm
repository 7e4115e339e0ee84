; Guests that read COM1 in different ways and echo what they read, up to a line feed. The last word of the command line, a
; number, chooses the way. A flat Multiboot image: nasm -f bin. See serial_readers.py.
bits 32
org 0x100000
%include "runtime/flat_image.inc"

COM1 equ 0x3f8
RBR equ COM1
IER equ COM1 + 1
IIR equ COM1 + 2
FCR equ COM1 + 2
LCR equ COM1 + 3
MCR equ COM1 + 4
LSR equ COM1 + 5
MSR equ COM1 + 6
; Memory below 1 MiB, zero at first.
STACK equ 0x90000
IDT equ 0x92000

  FLAT_START STACK
  COMMAND_NUMBER
  cmp edx, (ways_end - ways) / 4
  jae fail
  jmp [ways + edx * 4]

ways:
  dd interrupts, polls, identifies, prints_first, blind
ways_end:

fail:
  mov al, 1
  out 0xf4, al
  hlt

%macro put 2                 ; port, value
  mov dx, %1
  mov al, %2
  out dx, al
%endmacro
%macro get 1                 ; port
  mov dx, %1
  in al, dx
%endmacro

set_up:                      ; 115200 8N1, as teaching kernels do it: no FIFOs, RBR read blindly
  put FCR, 0
  put LCR, 0x80
  put COM1, 1
  put IER, 0
  put LCR, 3
  put MCR, 0
  get IIR
  get RBR
  ret

echo:                        ; al; ends with a line feed
  mov dx, COM1
  out dx, al
  cmp al, 10
  jne .on
  mov al, 0x2a
  out 0xf4, al
.on:
  ret

interrupts:                  ; 0: IRQ4 through the 8259s, with OUT2 clear; the handler reads RBR and asks nothing
  put 0x20, 0x11
  put 0x21, 0x20
  put 0x21, 4
  put 0x21, 1
  put 0xa0, 0x11
  put 0xa1, 0x28
  put 0xa1, 2
  put 0xa1, 1
  put 0x21, 0xef
  put 0xa1, 0xff
  mov eax, irq4
  mov [IDT + 0x24 * 8], ax
  mov word [IDT + 0x24 * 8 + 2], 8
  mov word [IDT + 0x24 * 8 + 4], 0x8e00
  shr eax, 16
  mov [IDT + 0x24 * 8 + 6], ax
  lidt [idt_pointer]
  call set_up
  put IER, 1
  sti
.wait:
  hlt
  jmp .wait
irq4:
  get RBR
  call echo
  put 0x20, 0x20
  iretd

polls:                       ; 1: LSR, with other registers read and written in between
  call set_up
.again:
  get MSR
  put MCR, 1
  get IER
  put MCR, 3
  get LSR
  test al, 1
  jz .again
  get RBR
  call echo
  jmp .again

identifies:                  ; 2: IIR, with interrupts off
  call set_up
  put FCR, 0xc1
  put IER, 1
.again:
  get IIR
  and al, 0x0f
  cmp al, 0x0c
  je .there
  cmp al, 4
  jne .again
.there:
  get RBR
  call echo
  jmp .again

prints_first:                ; 3: prints for long, looking at LSR, before it sets the port up and polls
  mov ecx, 20000
.print:
  get LSR
  test al, 0x20
  jz .print
  put COM1, '.'
  loop .print
  jmp polls

blind:                       ; 4: RBR, in which nothing is ever zero
  put FCR, 1
.again:
  get RBR
  cmp al, 0
  je .again
  cmp al, bl
  je .again                  ; the last one still
  mov bl, al
  call echo
  jmp .again

align 8
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
  dw $ - gdt - 1
  dd gdt
idt_pointer:
  dw 0x40 * 8 - 1
  dd IDT
end:
