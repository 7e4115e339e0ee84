; What an SMI of the test images runs first: copied to SMBASE + 8000h.
%define COUNT   0x9000
%define CS_     0x9004
%define SS_     0x9006
%define DS_     0x9008
%define ES_     0x900a
%define FS_     0x900c
%define GS_     0x900e
%define ESP_    0x9010
%define EIPHIGH 0x9014
%define FLAGS_  0x9018
%define CR0_    0x901c
%define CR4_    0x9020
%define DR6_    0x9024
%define DR7_    0x9028
%define EFER_   0x902c
%define PROBEAT 0x9030
%define PROBE   0x9034
%define GDTR_   0x9038

section .rodata
global smm_entry, smm_entry_end, smm_relocate, smm_relocate_end
bits 16
smm_entry:
  mov [cs:CS_], cs
  mov [cs:SS_], ss
  mov [cs:DS_], ds
  mov [cs:ES_], es
  mov [cs:FS_], fs
  mov [cs:GS_], gs
  mov [cs:ESP_], esp
  mov ebx, [cs:PROBEAT]
  mov eax, [ebx]
  mov [cs:PROBE], eax
  o32 sgdt [cs:GDTR_]
  mov eax, cr0
  mov [cs:CR0_], eax
  mov eax, cr4
  mov [cs:CR4_], eax
  mov eax, dr6
  mov [cs:DR6_], eax
  mov eax, dr7
  mov [cs:DR7_], eax
  mov ecx, 0xc0000080
  rdmsr
  mov [cs:EFER_], eax
  mov ax, cs
  mov ss, ax
  mov esp, 0xf000
  pushfd
  pop dword [cs:FLAGS_]
  call dword .here
.here:
  pop eax
  shr eax, 16
  mov [cs:EIPHIGH], eax
  inc dword [cs:COUNT]
  mov ax, 0x8200
  jmp ax
smm_entry_end:

; Moves SMBASE to 60000h; runs wherever firmware or RESET left it.
smm_relocate:
  mov eax, [cs:0xff00]
  mov ebx, 0x60000 + ESP_
  mov [ebx], eax
  mov dword [cs:0xff00], 0x60000
  rsm
smm_relocate_end:
