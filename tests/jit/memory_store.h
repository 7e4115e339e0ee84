// A CodeStore in memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jit/code_store.h"

namespace reprise::test {

class MemoryStore final : public jit::CodeStore {
 public:
  std::optional<jit::StoredCode> load(const std::string& name) override {
    const auto found = files.find(name);
    if (found == files.end()) return std::nullopt;
    const auto copy = std::make_shared<std::vector<u8>>(found->second);
    return jit::StoredCode{copy, *copy};
  }
  void save(const std::string& name, std::span<const u8> bytes) override {
    files[name].assign(bytes.begin(), bytes.end());
    ++saves;
  }

  std::map<std::string, std::vector<u8>> files;
  unsigned saves = 0;
};

}  // namespace reprise::test
