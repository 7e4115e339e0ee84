// The files that make the page of --report: frontend/memory_page/page.html and those beside it, made part of the program.
#pragma once

#include <array>
#include <string_view>

namespace reprise::frontend {

struct PageParts {
  std::string_view html;  // with marks where the others go
  std::string_view style;
  std::array<std::string_view, 4> scripts;  // in their order
};
const PageParts& page_parts();

}  // namespace reprise::frontend
