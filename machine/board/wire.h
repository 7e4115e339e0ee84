// Wire: an interrupt wire that ends in a function of the board.
#pragma once

#include <functional>
#include <utility>

#include "common/ports.h"

namespace reprise::machine {

class Wire final : public IrqSink {
 public:
  explicit Wire(std::function<void(unsigned line, bool level)> end) : end_(std::move(end)) {}
  void set_irq(unsigned line, bool level) override { end_(line, level); }

 private:
  std::function<void(unsigned, bool)> end_;
};

}  // namespace reprise::machine
