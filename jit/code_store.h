// CodeStore: where generated code outlives a run. Portable, as JitOptions is.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/types.h"

namespace reprise::jit {

/// Bytes, and what they are gone with.
struct StoredCode {
  std::shared_ptr<const void> owner;
  std::span<const u8> bytes;  // aligned as a u64 is
};

/// What it gives back is run: it vouches that this program made it, and nobody else changed it since. Any thread.
class CodeStore {
 public:
  virtual ~CodeStore() = default;
  /// What save() was last given by that name, in this run or another.
  virtual std::optional<StoredCode> load(const std::string& name) = 0;
  virtual void save(const std::string& name, std::span<const u8> bytes) = 0;
};

}  // namespace reprise::jit
