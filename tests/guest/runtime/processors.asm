; Where an application processor of the 64-bit images begins, from SIPI to C. SDM 3A 8.4.4
%include "runtime/long_mode.inc"
section .rodata
global ap_begin, ap_begin_end
bits 16
; Copied to the page that SIPI names; at its offset FF0h lies what LGDT takes.
ap_begin:
  cli
  o32 lgdt [cs:0xff0]
  mov eax, 0x11                              ; CR0: ET, PE; caches on
  mov cr0, eax
  jmp dword 0x38:ap32
ap_begin_end:

section .text
extern boot_pml4
bits 32
ap32:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  ENTER_LONG_MODE
  jmp 0x08:ap64

bits 64
ap64:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  lidt [rel ap_idt]
  mov edi, 1
  lock xadd [rel ap_arrivals], edi           ; how many came before
  lea eax, [rdi + 1]
  and eax, 15
  shl eax, 14
  lea rsp, [rel ap_stacks]
  add rsp, rax
  fninit
  extern ap_main
  call ap_main
.done:
  hlt
  jmp .done

; The first SMI of a processor: SMBASE becomes 60000h + 1000h for each local APIC id.
section .rodata
global smm_spread, smm_spread_end, smm_count, smm_count_end
bits 16
smm_spread:
  mov ebx, 0xfee00020
  mov eax, [ebx]
  shr eax, 24
  shl eax, 12
  add eax, 0x60000
  mov [cs:0xff00], eax
  rsm
smm_spread_end:

; Each SMI after that, at SMBASE + 8000h.
smm_count:
  inc dword [cs:0x8100]
  rsm
smm_count_end:

section .data
global ap_idt, ap_arrivals
align 8
ap_idt: times 10 db 0
align 4
ap_arrivals: dd 0

section .bss
alignb 16
  resb 16384                                 ; the sixteenth one's
ap_stacks: resb 16 * 16384
