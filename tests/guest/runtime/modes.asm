; Entry to and way back from the snippets of modes.c.
bits 32
section .text
extern in, out, event
extern mode_idt_pointer, real_cache_ds, real_cache_es, real_cache_fs, real_cache_gs, real_cache_ss, real_keep_fs_gs

; struct mode_regs
%define AX_ 0
%define BX_ 4
%define CX_ 8
%define DX_ 12
%define SI_ 16
%define DI_ 20
%define BP_ 24
%define FLAGS_ 28
%define IP_ 32
%define CS_ 36
%define SP_ 40
%define SS_ 44
%define DS_ 48
%define ES_ 52
%define FS_ 56
%define GS_ 60
; struct mode_event
%define VECTOR_ 0
%define ERROR_ 4
%define HANDLER_SP_ 8
%define HANDLER_SS_ 12
%define HANDLER_FLAGS_ 16
%define HANDLER_DS_ 20

%macro load_general 1  ; from [cs:%1]
  mov eax, [cs:%1 + AX_]
  mov ebx, [cs:%1 + BX_]
  mov ecx, [cs:%1 + CX_]
  mov edx, [cs:%1 + DX_]
  mov esi, [cs:%1 + SI_]
  mov edi, [cs:%1 + DI_]
  mov ebp, [cs:%1 + BP_]
%endmacro

%macro enter_from_c 0
  pushad
  mov [saved_esp], esp
  sidt [saved_idt]
%endmacro

; ---- Virtual-8086 mode
global v86_run
v86_run:
  enter_from_c
  lidt [mode_idt_pointer]
  push dword [in + GS_]
  push dword [in + FS_]
  push dword [in + DS_]
  push dword [in + ES_]
  push dword [in + SS_]
  push dword [in + SP_]
  push dword [in + FLAGS_]
  push dword [in + CS_]
  push dword [in + IP_]
  load_general in
  iretd

; ---- Protected mode: to an outer level by IRET, to level 0 by a far jump
global protected_run
protected_run:
  enter_from_c
  lidt [mode_idt_pointer]
  test byte [in + CS_], 3
  jz .same_level
  push dword [in + SS_]
  push dword [in + SP_]
  push dword [in + FLAGS_]
  push dword [in + CS_]
  push dword [in + IP_]
  call .load_data
  load_general in
  iretd
.same_level:
  push dword [in + FLAGS_]
  popfd
  mov eax, [in + DS_]
  lss esp, [in + SP_]
  mov ecx, [cs:in + ES_]
  mov es, ecx
  mov ecx, [cs:in + FS_]
  mov fs, ecx
  mov ecx, [cs:in + GS_]
  mov gs, ecx
  mov ds, eax
  load_general in
  jmp far [cs:in + IP_]
protected_run.load_data:
  mov eax, [in + ES_]
  mov es, eax
  mov eax, [in + FS_]
  mov fs, eax
  mov eax, [in + GS_]
  mov gs, eax
  mov eax, [in + DS_]
  mov ds, eax
  ret

; ---- The way back from both: every gate of the snippets' IDT leads here, on a stack of any width
%assign vector 0
%rep 256
mode_stub_ %+ vector:
%if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21
  push dword 0
%endif
  push dword vector
  jmp mode_common
%assign vector vector + 1
%endrep

mode_common:
  push eax
  push ds
  mov eax, 0x10
  mov ds, eax
  pop dword [event + HANDLER_DS_]
  pop dword [out + AX_]
  mov [out + BX_], ebx
  mov [out + CX_], ecx
  mov [out + DX_], edx
  mov [out + SI_], esi
  mov [out + DI_], edi
  mov [out + BP_], ebp
  mov [event + HANDLER_DS_ + 4], es
  mov [event + HANDLER_DS_ + 8], fs
  mov [event + HANDLER_DS_ + 12], gs
  pop dword [event + VECTOR_]
  pop dword [event + ERROR_]
  mov [event + HANDLER_SP_], esp
  mov [event + HANDLER_SS_], ss
  pushfd
  pop dword [event + HANDLER_FLAGS_]
back_to_c:
  mov eax, 0x10
  mov es, eax
  mov fs, eax
  mov gs, eax
  mov ss, eax
  mov esp, [saved_esp]
  push dword 2
  popfd
  lidt [saved_idt]
  popad
  ret

; ---- Real mode: all of this is copied to LOW
%define LOW(x) (0x7000 + (x) - low_begin)
%define LOW_STACK 0x9ff0

global real_run
real_run:
  enter_from_c
  movzx eax, word [real_cache_es]
  mov es, eax
  movzx eax, word [real_cache_fs]
  mov fs, eax
  movzx eax, word [real_cache_gs]
  mov gs, eax
  mov bl, [real_keep_fs_gs]
  movzx edx, word [real_cache_ds]
  movzx eax, word [real_cache_ss]
  mov ss, eax
  mov ds, edx
  jmp 0x28:LOW(real_entry)

global low_begin, low_end, low_regs, low_idt_pointer, real_stubs_offset
low_begin:
bits 16
real_entry:
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:LOW(.real)
.real:
  lidt [cs:LOW(low_idt_pointer)]
  mov ax, [cs:LOW(low_regs) + DS_]
  mov ds, ax
  mov ax, [cs:LOW(low_regs) + ES_]
  mov es, ax
  test bl, bl
  jnz .kept
  mov ax, [cs:LOW(low_regs) + FS_]
  mov fs, ax
  mov ax, [cs:LOW(low_regs) + GS_]
  mov gs, ax
.kept:
  xor ax, ax
  mov ss, ax
  mov esp, LOW_STACK
  push dword [cs:LOW(low_regs) + FLAGS_]
  popfd
  load_general LOW(low_regs)
  lss esp, [cs:LOW(low_regs) + SP_]
  jmp dword far [cs:LOW(low_regs) + IP_]

%assign vector 0
%rep 256
real_stub_ %+ vector:
  mov [cs:LOW(low_out) + AX_], eax
  mov al, vector
  jmp strict near real_common
%if vector == 0
real_stub_end:
%endif
%assign vector vector + 1
%endrep

real_common:
  mov [cs:LOW(low_event) + VECTOR_], al
  mov [cs:LOW(low_out) + BX_], ebx
  mov [cs:LOW(low_out) + CX_], ecx
  mov [cs:LOW(low_out) + DX_], edx
  mov [cs:LOW(low_out) + SI_], esi
  mov [cs:LOW(low_out) + DI_], edi
  mov [cs:LOW(low_out) + BP_], ebp
  mov [cs:LOW(low_event) + HANDLER_SP_], esp
  mov [cs:LOW(low_event) + HANDLER_SS_], ss
  mov [cs:LOW(low_event) + HANDLER_DS_], ds
  mov [cs:LOW(low_event) + HANDLER_DS_ + 4], es
  mov [cs:LOW(low_event) + HANDLER_DS_ + 8], fs
  mov [cs:LOW(low_event) + HANDLER_DS_ + 12], gs
  mov ax, 0
  mov ss, ax
  mov esp, LOW_STACK
  pushfd
  pop dword [cs:LOW(low_event) + HANDLER_FLAGS_]
  cli
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 0x08:real_back

align 8
low_idt_pointer:
  dw 0x3ff
  dd 0
align 8
low_regs: times 16 dd 0
low_out: times 16 dd 0
low_event: times 9 dd 0
low_end:

bits 32
real_back:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  cld
  mov esi, LOW(low_out)
  mov edi, out
  mov ecx, 16
  rep movsd
  mov esi, LOW(low_event)
  mov edi, event
  mov ecx, 9
  rep movsd
  jmp back_to_c

section .rodata
real_stubs_offset: dd real_stub_0 - low_begin
global real_stub_bytes, low_idt_offset, low_regs_offset
real_stub_bytes: dd real_stub_end - real_stub_0
low_idt_offset: dd low_idt_pointer - low_begin
low_regs_offset: dd low_regs - low_begin

section .data
align 8
global mode_stubs
mode_stubs:
%assign vector 0
%rep 256
  dd mode_stub_ %+ vector
%assign vector vector + 1
%endrep

section .bss
align 8
saved_esp: resd 1
saved_idt: resb 8
