// NamedDma: guest memory as one device writes it, so that a question about the past can say which one did.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>

#include "common/ports.h"

namespace reprise::machine {

/// Thread: the one that runs the machine.
class NamedDma final : public DmaPort {
 public:
  /// Who writes now: the board's, which has it from each. nullptr: nobody.
  using Writer = const std::string*;
  /// All outlive this.
  NamedDma(DmaPort& memory, Writer& writer, std::string name)
      : memory_(memory), writer_(writer), name_(std::move(name)) {}

  bool dma_read(u64 phys, std::span<u8> into) override { return memory_.dma_read(phys, into); }
  bool dma_write(u64 phys, std::span<const u8> from) override {
    const Writer before = std::exchange(writer_, &name_);
    const bool all_ram = memory_.dma_write(phys, from);
    writer_ = before;
    return all_ram;
  }
  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }

 private:
  DmaPort& memory_;
  Writer& writer_;
  std::string name_;
};

}  // namespace reprise::machine
