; Multiboot entry, GDT and trap stubs of the 32-bit test images. Paging is off until a test turns it on.
bits 32
section .multiboot
align 4
  dd 0x1badb002, 3, -(0x1badb002 + 3)

section .text
global start
start:
  mov esp, stack_top
  lgdt [gdt_pointer]
  jmp 0x08:.reload
.reload:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  mov ss, eax
  mov eax, (1 << 9) | (1 << 10)              ; CR4: OSFXSR, OSXMMEXCPT
  mov cr4, eax
  mov eax, 0x00000033                        ; CR0: NE, ET, MP, PE
  mov cr0, eax
  fninit
  extern runtime_main
  call runtime_main

; void enter_user(entry, stack, argument0, argument1, code)
global enter_user
enter_user:
  mov ebp, esp
  mov eax, 0x20 | 3
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  push 0x20 | 3
  push dword [ss:ebp + 8]
  push 0x002
  push dword [ss:ebp + 20]
  push dword [ss:ebp + 4]
  mov eax, [ss:ebp + 12]
  mov edx, [ss:ebp + 16]
  iretd

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
  pushad
  push ds
  push es
  push fs
  push gs
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  cld
  push esp
  extern trap_entry
  call trap_entry
  add esp, 4
  pop gs
  pop fs
  pop es
  pop ds
  popad
  add esp, 8
  iretd

section .data
align 8
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
  dd trap_stub_ %+ vector
%assign vector vector + 1
%endrep

align 8
global gdt
gdt:
  dq 0
  dq 0x00cf9b000000ffff  ; 08 code
  dq 0x00cf93000000ffff  ; 10 data
  dq 0x00cffb000000ffff  ; 18 user code
  dq 0x00cff3000000ffff  ; 20 user data
  dq 0, 0                ; 28, 30: only 64-bit images use these
  dq 0x00cf9b000000ffff  ; 38 code
  dq 0, 0                ; 40 TSS
  times 16 dq 0          ; 50 spare
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt

section .bss
align 4096
stack: resb 65536
global stack_top
stack_top:
