// Backend: the HostBackend of x86-64 hosts.
#pragma once

#include "jit/host/host_backend.h"
#include "jit/x64/code_arena.h"
#include "jit/x64/stubs.h"
#include "jit/x64/translator.h"

namespace reprise::jit::x64 {

class Backend final : public HostBackend {
 public:
  /// The options must stay.
  explicit Backend(const JitOptions& options)
      : options_(options), arena_(options.code_cache_bytes, kPartBytes) {}

  /// False when the host gives no memory for code; nothing else may be called then.
  bool ok() const { return arena_.ok(); }

  std::span<const u8> prepare(cpu::Cpu& cpu, const HostCalls& calls) override;
  bool prepared() const override { return translator_ != nullptr; }
  const u8* table_miss() const override { return stubs_.table_miss; }
  void enter_mode(JitContext& context, cpu::ModeKey mode, mmu::View view) const override;
  unsigned parts() const override { return arena_.parts(); }
  unsigned part() const override { return arena_.part(); }
  void begin_part(unsigned part) override { arena_.begin_part(part); }
  bool has_room() const override;
  bool checks_at_head(const cpu::Block& block) const override;
  bool joinable(const cpu::Block& block) const override;
  std::optional<HostCode> translate(const TranslationUnit& unit, Listing* listing) override {
    return translator_->translate(unit, listing);
  }
  void point(const ExitJump& exit, const u8* code) override { translator_->point(exit, code); }
  u32 enter(const u8* code, cpu::Cpu& cpu, JitContext& context, u64 budget) override;
  u64 layout() const override;
  const u8* code_begin() const override { return arena_.begin(); }
  CodeImage image(std::vector<u8>& bytes) const override { return arena_.image(bytes); }
  bool restore(const CodeImage& image) override { return arena_.restore(image); }
  Bytes used() const override { return {arena_.used(), arena_.used_cold()}; }

 private:
  /// Room for several regions of any kind.
  static constexpr std::size_t kPartBytes = 512u << 10;

  const JitOptions& options_;
  CodeArena arena_;
  Stubs stubs_;
  std::unique_ptr<Translator> translator_;
};

}  // namespace reprise::jit::x64
