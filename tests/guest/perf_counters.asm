; What perf_counters.c counts: code whose instructions are known, and handlers of known length.
bits 64
section .text

; ---- Handlers
global skip_ud2, just_return, eoi_and_return, end_rep
skip_ud2:                         ; 2 instructions
  add qword [rsp], 2
  iretq
just_return:                      ; 1
  iretq
eoi_and_return:                   ; 2; rsi is the address of the ICR
  mov dword [rsi + 0xb0 - 0x300], 0
  iretq
end_rep:                          ; 3, of a fault with an error code
  xor ecx, ecx
  add rsp, 8
  iretq

; ---- Overflow: WRMSR (ecx, edx:eax) starts the counters, and is the first instruction that they count; then NOPs of one byte.
global run_sled, sled
run_sled:
  wrmsr
sled:
  times 200 nop
  xor eax, eax
  xor edx, edx
  wrmsr
  ret

; The same, in the middle of REP STOSB: what comes before it are the WRMSR and two instructions.
global run_rep, rep_begin, rep_end
run_rep:
  mov rsi, rdi
  wrmsr
  mov ecx, 3000
  mov rdi, rsi
rep_begin:
  rep stosb
rep_end:
  nop
  nop
  mov ecx, 0x38f
  xor eax, eax
  xor edx, edx
  wrmsr
  ret

; A loop that counts rdi down to 0: the WRMSR and MOV, then two instructions a turn.
global run_loop, loop_turn
run_loop:
  wrmsr
  mov rbx, rbx
loop_turn:
  dec rdi
  jnz loop_turn
  xor eax, eax
  xor edx, edx
  wrmsr
  ret

; ---- Ring 3
global user_work, user_sled, syscall_entry, user_rdpmc
user_work:                        ; 1 + 2 * rdi + 10 + 1 instructions, edi at least 1
  mov rbx, rdi
.turn:
  dec rbx
  jnz .turn
  times 10 syscall
  int 0x80
user_sled:                        ; of 3 bytes and 2 instructions
%rep 60
  nop
  syscall
%endrep
  int 0x80
syscall_entry:                    ; 1 instruction
  o64 sysret
user_rdpmc:
  mov ecx, edi
  rdpmc
  int 0x80
