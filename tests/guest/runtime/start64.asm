; Multiboot entry, identity map, GDT and trap stubs of the 64-bit test images.
; Assembled and linked as ELF64, then rewritten as ELF32, which is what Multiboot loaders take.
%include "runtime/long_mode.inc"
bits 32
section .multiboot
align 4
  dd 0x1badb002, 3, -(0x1badb002 + 3)

section .text
global start
start:
  mov esp, stack_top
  ; Identity map of 4 GiB in 2 MiB pages: present, writable, user.
  mov edi, boot_pml4
  lea eax, [boot_pdpt + 7]
  mov [edi], eax
  mov edi, boot_pdpt
  mov eax, boot_pd + 7
  mov ecx, 4
.pdpt:
  mov [edi], eax
  add eax, 4096
  add edi, 8
  loop .pdpt
  mov edi, boot_pd
  mov eax, 0x87
  mov ecx, 4 * 512
.pd:
  mov [edi], eax
  add eax, 0x200000
  add edi, 8
  loop .pd

  ENTER_LONG_MODE
  lgdt [gdt_pointer]
  jmp 0x08:start64

bits 64
start64:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  mov esp, stack_top
  fninit
  extern runtime_main
  call runtime_main

; void enter_user(entry rdi, stack rsi, argument0 rdx, argument1 rcx, code r8)
global enter_user
enter_user:
  push 0x20 | 3
  push rsi
  push 0x202 & ~0x200                        ; interrupts stay off
  push r8
  push rdi
  mov rdi, rdx
  mov rsi, rcx
  iretq

%assign vector 0
%rep 256
trap_stub_ %+ vector:
%if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
  push 0
%endif
  push vector
  jmp trap_common
%assign vector vector + 1
%endrep

trap_common:
  push rax
  push rcx
  push rdx
  push rbx
  push rbp
  push rsi
  push rdi
  push r8
  push r9
  push r10
  push r11
  push r12
  push r13
  push r14
  push r15
  cld
  mov rdi, rsp
  mov rbx, rsp
  and rsp, -16
  extern trap_entry
  call trap_entry
  mov rsp, rbx
  pop r15
  pop r14
  pop r13
  pop r12
  pop r11
  pop r10
  pop r9
  pop r8
  pop rdi
  pop rsi
  pop rbp
  pop rbx
  pop rdx
  pop rcx
  pop rax
  add rsp, 16
  iretq

section .data
align 8
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
  dq trap_stub_ %+ vector
%assign vector vector + 1
%endrep

align 8
global gdt
gdt:
  dq 0
  dq 0x00af9b000000ffff  ; 08 code 64
  dq 0x00cf93000000ffff  ; 10 data
  dq 0x00cffb000000ffff  ; 18 user code 32
  dq 0x00cff3000000ffff  ; 20 user data
  dq 0x00affb000000ffff  ; 28 user code 64
  dq 0x00cff3000000ffff  ; 30 user data
  dq 0x00cf9b000000ffff  ; 38 code 32
  dq 0, 0                ; 40 TSS
  times 16 dq 0          ; 50 spare
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dq gdt

section .bss
align 4096
global boot_pml4, boot_pdpt, boot_pd
boot_pml4: resb 4096
boot_pdpt: resb 4096
boot_pd:   resb 4 * 4096
stack:     resb 65536
stack_top:
