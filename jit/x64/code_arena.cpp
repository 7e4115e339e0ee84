#include "jit/x64/code_arena.h"

#include "jit/x64/emitter.h"

namespace reprise::jit::x64 {

CodeArena::CodeArena(std::size_t bytes) : bytes_(bytes) {
  asmjit::VirtMem::DualMapping mapping{};
  const auto flags = asmjit::VirtMem::MemoryFlags::kAccessRWX;
  if (asmjit::VirtMem::allocDualMapping(&mapping, bytes, flags) != asmjit::kErrorOk) return;
  rx_ = static_cast<u8*>(mapping.rx);
  rw_ = static_cast<u8*>(mapping.rw);
}

CodeArena::~CodeArena() {
  if (rx_ == nullptr) return;
  asmjit::VirtMem::DualMapping mapping{rx_, rw_};
  asmjit::VirtMem::releaseDualMapping(&mapping, bytes_);
}

}  // namespace reprise::jit::x64
