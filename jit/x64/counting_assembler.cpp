#include "jit/x64/counting_assembler.h"

#include "common/check.h"

namespace reprise::jit::x64 {

void CountingAssembler::begin_piece() {
  if (code_ == nullptr) return;
  CHECK(code_->used < CountedCode::kMaxPieces);
  CountedPiece& piece = code_->pieces[code_->used++];
  piece_ = &uncounted_;
  const auto begin = static_cast<u32>(offset());
  push(x86::rcx);
  push(x86::rdx);
  mov(x86::rdx, reinterpret_cast<u64>(&piece.runs));
  mov(x86::rcx, x86::qword_ptr(x86::rdx));
  lea(x86::rcx, x86::ptr(x86::rcx, 1));
  mov(x86::qword_ptr(x86::rdx), x86::rcx);
  pop(x86::rdx);
  pop(x86::rcx);
  counters_.emplace_back(begin, static_cast<u32>(offset()));
  piece_ = &piece;
}

}  // namespace reprise::jit::x64
