; smi_with_registers(const u64 in[16], u64 out[16]): an SMI with all registers (but RSP) as given, AL included; then what
; they are. in[16] and out[16] are flags.
bits 64
section .text
global smi_with_registers, smi_return, smm_long_entry, stepped_smi, stepped_return
smi_with_registers:
  push rbx
  push rbp
  push r12
  push r13
  push r14
  push r15
  mov [out_pointer], rsi
  mov rax, rdi
  mov rcx, [rax + 8]
  mov rdx, [rax + 16]
  mov rbx, [rax + 24]
  mov rbp, [rax + 40]
  mov rsi, [rax + 48]
  mov rdi, [rax + 56]
  mov r8, [rax + 64]
  mov r9, [rax + 72]
  mov r10, [rax + 80]
  mov r11, [rax + 88]
  mov r12, [rax + 96]
  mov r13, [rax + 104]
  mov r14, [rax + 112]
  mov r15, [rax + 120]
  push qword [rax + 128]
  popfq
  mov rax, [rax]
  out 0xb2, al
smi_return:
  mov [saved_rax], rax
  pushfq
  pop qword [saved_flags]
  mov rax, [out_pointer]
  mov [rax + 8], rcx
  mov [rax + 16], rdx
  mov [rax + 24], rbx
  mov [rax + 32], rsp
  mov [rax + 40], rbp
  mov [rax + 48], rsi
  mov [rax + 56], rdi
  mov [rax + 64], r8
  mov [rax + 72], r9
  mov [rax + 80], r10
  mov [rax + 88], r11
  mov [rax + 96], r12
  mov [rax + 104], r13
  mov [rax + 112], r14
  mov [rax + 120], r15
  mov rcx, [saved_rax]
  mov [rax], rcx
  mov rcx, [saved_flags]
  mov [rax + 128], rcx
  push 2
  popfq
  pop r15
  pop r14
  pop r13
  pop r12
  pop rbp
  pop rbx
  ret

; An SMI under single-step: the trap comes behind the OUT.
stepped_smi:
  mov eax, 0x55
  pushfq
  or dword [rsp], 0x100
  popfq
  out 0xb2, al
stepped_return:
  nop
  ret

; The handler in 64-bit mode.
smm_long_entry:
  mov eax, 0x10
  mov ss, eax
  mov ds, eax
  mov esp, smm_stack_top
  extern smm_long_main
  call smm_long_main
  rsm

section .bss
align 16
out_pointer: resq 1
saved_rax: resq 1
saved_flags: resq 1
smm_stack: resb 4096
smm_stack_top:
