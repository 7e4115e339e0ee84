// HostBackend: what the engine asks of a kind of host. It makes code for regions, in memory of its own, and
// runs it; what the code does is the same on every host. jit/x64 has the one there is.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "jit/host/code_image.h"
#include "jit/host/jit_context.h"
#include "jit/host/listing.h"
#include "jit/host/translation_unit.h"
#include "jit/jit_options.h"

namespace reprise::jit {

class HostBackend : public HostTraits {
 public:
  /// Before everything below: makes the code that all regions share, which it returns. `calls` stay what they
  /// are; the layout of `cpu` holds for every processor.
  virtual std::span<const u8> prepare(cpu::Cpu& cpu, const HostCalls& calls) = 0;
  /// Whether prepare() was called.
  virtual bool prepared() const = 0;
  /// What jump tables hold where there is no code.
  virtual const u8* table_miss() const = 0;
  /// `context` is that of code of `mode`, whose accesses have the rights of `view`, from here on.
  virtual void enter_mode(JitContext& context, cpu::ModeKey mode, mmu::View view) const = 0;

  /// Memory for code consists of parts, which fill one after the other. How many there are, and which one translate() puts
  /// code in.
  virtual unsigned parts() const = 0;
  virtual unsigned part() const = 0;
  /// Forgets the code of all regions in `part`, and goes on there.
  virtual void begin_part(unsigned part) = 0;
  /// Whether this part has room for one more region of any kind.
  virtual bool has_room() const = 0;
  /// The code for `unit`, and `listing`, if there is one, about it. No value: it has something that cannot be
  /// assembled.
  virtual std::optional<HostCode> translate(const TranslationUnit& unit, Listing* listing) = 0;
  /// From now on `exit` leads to `code`.
  virtual void point(const ExitJump& exit, const u8* code) = 0;
  /// Runs `code`, for at most `budget` instructions, until it leaves; returns a NativeExit. Cpu::state and
  /// `context` are what is exchanged.
  virtual u32 enter(const u8* code, cpu::Cpu& cpu, JitContext& context, u64 budget) = 0;

  // --- Code that outlives the run ---
  /// Code for equal units is the same wherever this is, in one build of this program. Once prepared.
  virtual u64 layout() const = 0;
  /// Where the memory for code begins.
  virtual const u8* code_begin() const = 0;
  /// What is there now; its bytes are in `bytes`.
  virtual CodeImage image(std::vector<u8>& bytes) const = 0;
  /// Has the code of `image`, at the places where it was. False: it cannot.
  virtual bool restore(const CodeImage& image) = 0;

  struct Bytes {
    u64 hot = 0;
    u64 cold = 0;
  };
  virtual Bytes used() const = 0;
};

/// That of this host, or nullptr when it gives no memory for code.
std::unique_ptr<HostBackend> make_host_backend(const JitOptions& options);

}  // namespace reprise::jit
