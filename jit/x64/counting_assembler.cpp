#include "jit/x64/counting_assembler.h"

#include "common/check.h"

namespace reprise::jit::x64 {

void CountingAssembler::begin_piece() {
  if (code_ == nullptr) return;
  CHECK(code_->used < CountedCode::kMaxPieces);
  CountedPiece& piece = code_->pieces[code_->used++];
  piece_ = &uncounted_;
  mov(kGroupReg, reinterpret_cast<u64>(&piece.runs));
  push(x86::rcx);
  mov(x86::rcx, x86::qword_ptr(kGroupReg));
  lea(x86::rcx, x86::ptr(x86::rcx, 1));
  mov(x86::qword_ptr(kGroupReg), x86::rcx);
  pop(x86::rcx);
  piece_ = &piece;
}

}  // namespace reprise::jit::x64
