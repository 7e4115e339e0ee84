; Guests that do nothing but take exceptions and interrupts, or read timers, for ever, one kind each. The last word of
; the command line, a number, chooses the kind. A flat Multiboot image: nasm -f bin. See storms.py.
bits 32
org 0x100000
%include "runtime/flat_image.inc"

LAPIC equ 0xfee00000
EOI equ LAPIC + 0xb0
SVR equ LAPIC + 0xf0
ICR equ LAPIC + 0x300
LVT_TIMER equ LAPIC + 0x320
INITIAL_COUNT equ LAPIC + 0x380
CURRENT_COUNT equ LAPIC + 0x390
HPET equ 0xfed00000
; Memory below 1 MiB, zero at first.
REAL_CODE equ 0x7000
REAL_HANDLER equ 0x8000
STACK equ 0x90000
PAGE_DIRECTORY equ 0x91000
IDT equ 0x92000
FIRST_TSS equ 0x93000
SECOND_TSS equ 0x94000

  FLAT_START STACK
  mov fs, eax
  mov gs, eax
  lidt [idt_pointer]
  mov dword [SVR], 0x1ff
  mov dword [ICR + 0x10], 0
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  COMMAND_NUMBER
  cmp edx, (kinds_end - kinds) / 4
  jae unknown
  jmp [kinds + edx * 4]

unknown:
  mov al, 1
  out 0xf4, al
  hlt

kinds:
  dd invalid_opcode, page_fault, breakpoint, software_interrupt, single_step, code_breakpoint, nmi, smi
  dd self_ipi, timer, chain, init, task_gate, hpet, lapic_count
kinds_end:

%macro gate 2                ; vector, handler
  mov eax, %2
  mov [IDT + %1 * 8], ax
  mov word [IDT + %1 * 8 + 2], 8
  mov word [IDT + %1 * 8 + 4], 0x8e00
  shr eax, 16
  mov [IDT + %1 * 8 + 6], ax
%endmacro

return_over_code:
  add esp, 4
return:
  iretd

invalid_opcode:              ; 0
  gate 6, return
  ud2

page_fault:                  ; 1: nothing but the first 4 MiB is mapped
  gate 14, return_over_code
  mov dword [PAGE_DIRECTORY], 0x83
  mov eax, PAGE_DIRECTORY
  mov cr3, eax
  mov eax, cr4
  or al, 0x10
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov eax, [0x12345678]

breakpoint:                  ; 2
  gate 3, return
.again:
  int3
  jmp .again

software_interrupt:          ; 3
  gate 0x40, return
.again:
  int 0x40
  jmp .again

single_step:                 ; 4
  gate 1, return
  pushfd
  or dword [esp], 0x100
  popfd
.again:
  jmp .again

code_breakpoint:             ; 5: the handler leaves RF clear
  gate 1, return
  mov eax, .again
  mov dr0, eax
  mov eax, 0x401
  mov dr7, eax
.again:
  nop
  jmp .again

nmi:                         ; 6
  gate 2, return
  mov eax, 0x4400
.again:
  mov [ICR], eax
  jmp .again

smi:                         ; 7
  mov word [0x38000], 0xaa0f ; RSM
  mov eax, 0x4200
.again:
  mov [ICR], eax
  jmp .again

end_of_interrupt:
  mov dword [EOI], 0
  iretd

self_ipi:                    ; 8
  gate 0x41, end_of_interrupt
  sti
.again:
  mov dword [ICR], 0x40041
  jmp .again

timer:                       ; 9: a TSC deadline that has passed
  gate 0x42, end_of_interrupt
  mov dword [LVT_TIMER], 0x40042
  sti
.again:
  mov ecx, 0x6e0
  mov eax, 1
  xor edx, edx
  wrmsr
  jmp .again

chain:                       ; 10: a handler whose first instruction raises what it handles
  mov dword [6 * 4], REAL_HANDLER
  mov word [REAL_HANDLER], 0x0b0f ; UD2
  mov esi, to_real_mode
  mov edi, REAL_CODE
  mov ecx, to_real_mode_end - to_real_mode
  rep movsb
  lidt [real_idt_pointer]
  mov eax, 0x30
  mov ss, eax
  jmp 0x28:REAL_CODE
bits 16
to_real_mode:
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:REAL_CODE + .real - to_real_mode
.real:
  mov ax, 0x5000
  mov ss, ax
  xor sp, sp
  ud2
to_real_mode_end:
bits 32

init:                        ; 11: nothing is at the reset vector; the handler of what is fetched there sends another
  mov ecx, 0x1b
  rdmsr
  or eax, 1 << 10            ; x2APIC, which real mode can reach
  wrmsr
  mov dword [6 * 4], REAL_HANDLER
  mov esi, init_again
  mov edi, REAL_HANDLER
  mov ecx, init_again_end - init_again
  rep movsb
  mov ecx, 0x830
  mov eax, 0x4500
  xor edx, edx
  wrmsr
bits 16
init_again:
  mov ecx, 0x830
  mov eax, 0x4500
  xor edx, edx
  wrmsr
  ud2
init_again_end:
bits 32

task_gate:                   ; 12: the task of the handler returns by IRET
  mov dword [IDT + 6 * 8], 0x00200000
  mov dword [IDT + 6 * 8 + 4], 0x00008500
  mov eax, 0x18
  ltr ax
  mov dword [SECOND_TSS + 32], .handler
  mov dword [SECOND_TSS + 36], 2
  mov dword [SECOND_TSS + 56], STACK - 0x1000
  mov dword [SECOND_TSS + 72], 0x10
  mov dword [SECOND_TSS + 76], 8
  mov dword [SECOND_TSS + 80], 0x10
  mov dword [SECOND_TSS + 84], 0x10
  ud2
.handler:
  iretd
  jmp .handler

hpet:                        ; 13
  mov dword [HPET + 0x10], 1
.again:
  mov eax, [HPET + 0xf0]
  jmp .again

lapic_count:                 ; 14
  mov dword [INITIAL_COUNT], 0xffffffff
.again:
  mov eax, [CURRENT_COUNT]
  jmp .again

align 8
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
  dq 0x0000890000000067 | (FIRST_TSS & 0xffffff) << 16   ; 18h
  dq 0x0000890000000067 | (SECOND_TSS & 0xffffff) << 16  ; 20h
  dq 0x00009b000000ffff, 0x000093000000ffff              ; 28h, 30h: as real mode wants them
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt
idt_pointer:
  dw 0x7ff
  dd IDT
real_idt_pointer:
  dw 0x3ff
  dd 0
end:
