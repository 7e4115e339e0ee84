// Commands about the names of the guest's kernel. docs/debugging.md.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/numbers.h"
#include "common/words.h"
#include "machine/monitor/command.h"

namespace reprise::machine::monitor {
namespace {

/// For somebody whose folder is another one.
std::string whole_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error ? path : whole.string();
}

}  // namespace

Outcome kaslr(Machine& machine, const Arguments&) {
  const auto failed = [](std::string why) {
    return CommandError{CommandError::Kind::Failed, std::move(why)};
  };
  const symbols::KernelSymbols& names = machine.symbols();
  if (!names.given())
    return failed("The kernel's names are not known: begin the run, or its replay, with --symbols vmlinux.");
  const std::string path = in_one_line(whole_path(names.table().path()));
  const std::optional<symbols::Slide> slide = names.slide();
  if (!slide)
    return failed(
        fmt::format("Where the kernel runs is not known: it has not set LSTAR and the IDT yet, or '{}' is "
                    "another kernel's.",
                    path));
  Answer answer;
  answer.json = {{"slide", hex(slide->bytes)}, {"by", slide->by}, {"file", path}};
  answer.text = fmt::format("slide {:#x}", slide->bytes);
  if (!slide->by.empty()) answer.text += fmt::format(", by {}", slide->by);
  answer.text += '\n';
  if (const std::optional<u64> text = names.address_of("_text")) {
    answer.json["text"] = hex(*text);
    answer.text += fmt::format("the kernel's image begins at {:#x}\n", *text);
  }
  if (names.table().is_elf()) {
    // Offsets in per-CPU data do not move with the image.
    const bool offsets = slide->bytes != 0 && names.table().address_of("__per_cpu_start") == u64{0};
    const std::string command = fmt::format("add-symbol-file {} -o {:#x}{}", path, slide->bytes,
                                            offsets ? " -s .data..percpu 0" : "");
    answer.json["gdb"] = command;
    answer.text += fmt::format("for gdb: {}\n", command);
  }
  return answer;
}

std::string place_text(const symbols::KernelSymbols& names, u64 linear) {
  const std::string name = names.text(linear);
  return name.empty() ? hex(linear) : fmt::format("{} <{}>", hex(linear), name);
}

std::string with_names(const symbols::KernelSymbols& names, std::string text) {
  if (!names.given()) return text;
  std::string found;
  for (std::size_t at = 0; (at = text.find("0x", at)) != text.npos;) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789abcdefABCDEF", at + 2), text.size());
    constexpr std::size_t kDigits = 8;  // fewer are offsets
    const std::optional<u64> value =
        end - at - 2 < kDigits ? std::nullopt : parse_number(std::string_view(text).substr(at, end - at));
    if (const std::string name = value ? names.text(*value) : ""; !name.empty())
      found += fmt::format(" <{}>", name);
    at = end;
  }
  return text + found;
}

}  // namespace reprise::machine::monitor
