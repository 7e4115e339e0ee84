#include "frontend/options/manual_rows.h"

#include <fmt/format.h>

#include "frontend/manual/formats.h"

namespace reprise::frontend {
namespace {

void set_form(ManualRequest& request, const Given& given) {
  if (given.value == "man")
    request.form = man_page;
  else if (given.value == "bash")
    request.form = bash_completion;
  else if (given.value == "options")
    request.form = markdown_options;
  else
    throw BadValue{fmt::format("there is no manual '{}': there are man, bash and options", given.value)};
}

constexpr Option<ManualRequest> kRows[] = {
    {.name = "FORM",
     .help = "man: the man page; bash: completion, to be sourced; options: as in docs/command.md",
     .words = "man bash options",
     .required = true,
     .set = set_form},
};

}  // namespace

std::span<const OptionGroup<ManualRequest>> manual_option_groups() {
  static const OptionGroup<ManualRequest> kGroups[] = {{"", "", kRows}};
  return kGroups;
}

}  // namespace reprise::frontend
