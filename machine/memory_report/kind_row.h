// What a kind of event is called, and what it means.
#pragma once

#include <string_view>

namespace reprise::machine::memory_report {

struct KindRow {
  std::string_view name;
  std::string_view meaning;
};

}  // namespace reprise::machine::memory_report
