; Programs of several processors with a mistake each, in two variants: with it, and mended. The last word of the command
; line, a number, chooses: race * 2 + mended. Every run is one attempt. A flat Multiboot image: nasm -f bin. See races.py.
bits 32
org 0x100000
%include "runtime/flat_image.inc"

LAPIC equ 0xfee00000
EOI equ LAPIC + 0xb0
SVR equ LAPIC + 0xf0
ICR equ LAPIC + 0x300
WAKE_VECTOR equ 0x40
; Memory below 1 MiB, zero at first.
TRAMPOLINE equ 0x8000
STACKS equ 0x80000           ; 1000h for each processor, down from here + 1000h * (its number + 1)
IDT equ 0x92000
SCRATCH equ 0x94000          ; 1000h for each: what it works on alone

; Written to the debug-exit port.
HELD equ 0x10                ; nothing went wrong
BROKE equ 0x11
MISUSED equ 1
; So often the first processor looks whether the others are done: much more than what they need.
LOOKS equ 5000

  FLAT_START STACKS + 0x1000
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  mov eax, woken
  mov [IDT + WAKE_VECTOR * 8], ax
  mov word [IDT + WAKE_VECTOR * 8 + 2], 8
  mov word [IDT + WAKE_VECTOR * 8 + 4], 0x8e00
  shr eax, 16
  mov [IDT + WAKE_VECTOR * 8 + 6], ax
  mov dword [SVR], 0x1ff
  COMMAND_NUMBER
  mov eax, edx
  and eax, 1
  mov [mended], eax
  shr edx, 1
  cmp edx, (races_end - races) / RACE_BYTES
  mov al, MISUSED
  jae finish
  imul edx, edx, RACE_BYTES
  add edx, races
  mov [race], edx
  mov esi, trampoline
  mov edi, TRAMPOLINE
  mov ecx, trampoline_end - trampoline
  rep movsb

  mov ebx, 1                 ; INIT and SIPI to each
.another:
  mov eax, ebx
  shl eax, 24
  mov [ICR + 0x10], eax
  mov dword [ICR], 0x4500
  mov [ICR + 0x10], eax
  mov dword [ICR], 0x4600 | TRAMPOLINE >> 12
  inc ebx
  cmp ebx, [edx]
  jbe .another

  mov ecx, LOOKS
.wait:
  mov eax, [done]
  cmp eax, [edx]
  je .all_done
  pause
  loop .wait
  mov al, BROKE              ; one of them waits for ever
  jmp finish
.all_done:
  call [edx + 4]
  cmp byte [broken], 1
  mov al, HELD
  jne finish
  mov al, BROKE
finish:
  out 0xf4, al
  cli
  hlt

bits 16
trampoline:
  cli
  xor ax, ax
  mov ds, ax
  lgdt [TRAMPOLINE + .gdt_pointer - trampoline]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:started
.gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt
trampoline_end:
bits 32

started:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov ebp, [LAPIC + 0x20]
  shr ebp, 24                ; its number, from 1: EBP throughout
  mov esp, ebp
  shl esp, 12
  add esp, STACKS + 0x1000
  lidt [idt_pointer]
  mov dword [SVR], 0x1ff
  mov edx, [race]
  call [edx + 4 + ebp * 4]
  lock inc dword [done]
.rest:
  cli
  hlt
  jmp .rest

; How many others, what looks at the result when all are done, what they do.
RACE_BYTES equ 20
races:
  dd 2, check_balance, deposit, deposit, 0
  dd 2, check_nothing, sleeper, waker, 0
  dd 2, check_nothing, first_user, user, 0
  dd 2, check_nothing, publisher, reader, 0
  dd 2, check_stack, popper, reuser, 0
  dd 3, check_nothing, philosopher, philosopher, philosopher
races_end:

check_nothing:
  ret

; --- What surrounds the races.

; ECX rounds of 5 instructions over memory of its own. Destroys EAX, ECX; EAX: a number that depends on all of it.
work:
  push edi
  mov edi, ebp
  shl edi, 12
  add edi, SCRATCH
  mov eax, ebp
.round:
  imul eax, eax, 1103515245
  add eax, [edi + ecx * 4]
  mov [edi + ecx * 4], eax
  dec ecx
  jnz .round
  pop edi
  ret

%macro work 1
  mov ecx, %1
  call work
%endmacro

; ESI: a lock.
lock_it:
  lock bts dword [esi], 0
  jnc .mine
.busy:
  pause
  test dword [esi], 1
  jnz .busy
  jmp lock_it
.mine:
  ret
unlock_it:
  mov dword [esi], 0
  ret

%macro if_mended 1           ; where to go
  cmp dword [mended], 0
  jne %1
%endmacro

woken:
  mov dword [EOI], 0
  iretd

; --- 0: a lost update. Both read a balance, compute, and write it back. Mended: under a lock.
DEPOSIT equ 100

deposit:
  work 200
  mov esi, balance_lock
  if_mended .locked
  call .add
  jmp .on
.locked:
  call lock_it
  call .add
  call unlock_it
.on:
  work 200
  ret
.add:
  mov ebx, [balance]
  work 60                    ; a check of the statement
  add ebx, DEPOSIT
  mov [balance], ebx
  ret

check_balance:
  cmp dword [balance], 2 * DEPOSIT
  je .right
  mov byte [broken], 1
.right:
  ret

; --- 1: a missed wake-up. One sleeps when there is nothing to do; the interrupt that tells of it comes between look and
; sleep. Mended: it looks with interrupts off, and STI lets none in before HLT.
sleeper:
  work 100
  if_mended .off
  sti
.look:
  cmp dword [items], 0
  jne .there
  work 80                    ; its accounts before it sleeps
  hlt
  jmp .look
.off:
  cli
  cmp dword [items], 0
  jne .there
  work 80
  sti
  hlt
  jmp .off
.there:
  cli
  work 50
  ret

waker:
  work 200
  mov dword [items], 1
  mov dword [ICR + 0x10], 1 << 24
  mov dword [ICR], 0x4000 | WAKE_VECTOR
  work 100
  ret

; --- 2: double-checked initialisation that publishes a table before it is filled. Mended: behind.
TABLE_WORDS equ 250
TABLE_FACTOR equ 7

first_user:
  work 700
user:
  work 100
  call get_table
  xor eax, eax
  mov ecx, TABLE_WORDS
.add:
  add eax, [ebx + ecx * 4 - 4]
  loop .add
  cmp eax, TABLE_FACTOR * TABLE_WORDS * (TABLE_WORDS + 1) / 2
  je .right
  mov byte [broken], 1
.right:
  work 50
  ret

get_table:                   ; EBX
  mov ebx, [table]
  test ebx, ebx
  jnz .there
  mov esi, table_lock
  call lock_it
  mov ebx, [table]
  test ebx, ebx
  jnz .unlock
  mov ebx, table_storage
  if_mended .fill
  mov [table], ebx
.fill:
  mov ecx, TABLE_WORDS
.word:
  mov eax, ecx
  imul eax, eax, TABLE_FACTOR
  mov [ebx + ecx * 4 - 4], eax
  dec ecx
  jnz .word
  mov [table], ebx
.unlock:
  call unlock_it
.there:
  ret

; --- 3: broken publication. A ring whose writer moves the head before the record is there. Mended: behind.
RECORD_WORDS equ 32

publisher:
  work 300
  mov ebx, [head]
  if_mended .write
  inc dword [head]
.write:
  mov esi, ring
  mov edx, RECORD_WORDS      ; the last word is the sum of the others
  xor edi, edi
.word:
  work 2
  dec edx
  jz .sum
  mov [esi], eax
  add edi, eax
  add esi, 4
  jmp .word
.sum:
  not edi
  mov [esi], edi
  inc ebx
  mov [head], ebx
  work 100
  ret

reader:
  work 200
.empty:
  pause
  cmp dword [head], 0
  je .empty
  mov esi, ring
  mov edx, RECORD_WORDS - 1
  xor edi, edi
.word:
  add edi, [esi]
  add esi, 4
  dec edx
  jnz .word
  not edi
  cmp edi, [esi]
  je .right
  mov byte [broken], 1
.right:
  work 100
  ret

; --- 4: ABA. A stack without locks: between a pop's look at the first node and its exchange, another takes two nodes and
; puts the first back. Mended: the head carries a number that each exchange increases.
; A node: next, whether somebody has it.
popper:
  work 50
  call pop_node
  work 50
  ret

reuser:
  work 50
  call pop_node
  push ebx
  work 40
  call pop_node
  work 40
  pop ebx
  call push_node
  work 50
  ret

pop_node:                    ; EBX
  mov eax, [stack_head]
  mov edx, [stack_head + 4]  ; if another exchange comes between the two, the numbers tell
  push eax
  push edx
  mov ebx, [eax]             ; what will be first
  work 60                    ; a copy of what is in the node
  pop edx
  pop eax
  if_mended .numbered
  lock cmpxchg [stack_head], ebx
  jne pop_node
  jmp .mine
.numbered:
  lea ecx, [edx + 1]
  lock cmpxchg8b [stack_head]
  jne pop_node
.mine:
  mov ebx, eax
  mov dword [ebx + 4], 1
  ret

push_node:                   ; EBX
  mov dword [ebx + 4], 0
.again:
  mov eax, [stack_head]
  mov edx, [stack_head + 4]
  mov [ebx], eax
  lea ecx, [edx + 1]
  lock cmpxchg8b [stack_head]
  jne .again
  ret

check_stack:                 ; nobody has what is on it
  mov eax, [stack_head]
.next:
  test eax, eax
  jz .end
  cmp dword [eax + 4], 0
  jne .owned
  mov eax, [eax]
  jmp .next
.owned:
  mov byte [broken], 1
.end:
  ret

; --- 5: a deadlock of three locks: each takes its own and then the next one's. Mended: the lower one first.
philosopher:
  work 60
  lea esi, [philosopher_locks + ebp * 4 - 4]
  lea edi, [esi + 4]
  cmp ebp, 3
  jne .ordered
  mov edi, philosopher_locks
  if_mended .swap
  jmp .ordered
.swap:
  xchg esi, edi
.ordered:
  call lock_it
  work 250
  xchg esi, edi
  call lock_it
  work 100
  call unlock_it
  xchg esi, edi
  call unlock_it
  work 60
  ret

align 8
gdt:
  dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt
idt_pointer:
  dw 0x7ff
  dd IDT

align 8
stack_head: dd nodes, 0
nodes:
  dd nodes + 8, 0
  dd nodes + 16, 0
  dd 0, 0
race: dd 0
mended: dd 0
done: dd 0
broken: dd 0
; What they share, each on a line of its own.
align 64
balance: dd 0
align 64
balance_lock: dd 0
align 64
items: dd 0
align 64
table: dd 0
align 64
table_lock: dd 0
align 64
head: dd 0
align 64
philosopher_locks: dd 0, 0, 0
align 64
ring: times RECORD_WORDS dd 0
table_storage: times TABLE_WORDS dd 0
end:
