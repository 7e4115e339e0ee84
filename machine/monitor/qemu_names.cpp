// QEMU, "QEMU Monitor" in its manual.
#include "machine/monitor/qemu_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "common/numbers.h"
#include "common/words.h"

namespace reprise::machine::monitor {
namespace {

constexpr QemuName kNames[] = {
    {"?", "help"},
    {"c", "cont"},
    {"q", "quit"},
    {"system_powerdown", "powerdown"},
    {"system_reset", "reset"},
    {"gva2gpa", "info pagewalk"},
    {"info block", "info disks"},
    {"info jit", "info stats"},
    {"info mem", "info memory-map"},
    {"info mtree", "info phys-map"},
    {"info pic", "info irq"},
    {"info qtree", "info devices"},
    {"info status", "status"},
    {"info version", "version"},
    {"mouse_move", "mouse move"},
    {"mouse_button", "mouse buttons"},
};

struct QemuHint {
  std::string_view names;  // with spaces around each
  std::string_view instead;
};

constexpr QemuHint kHints[] = {
    {" loadvm ",
     "-loadvm NAME goes on from a state that savevm has saved, and reprise run --load FILE from one of "
     "'save'"},
    {" migrate migrate_incoming ",
     "'save FILE' writes the state, and reprise run --load FILE goes on from it anywhere"},
    {" object_add object_del chardev-add chardev-remove ",
     "what the machine has is chosen before the run: reprise run --device help"},
    {" commit ", "reprise image commit FILE does so once the run is over"},
    {" block_resize ", "qemu-img resize does so once the run is over"},
    {" log trace-event logfile ", "reprise run --log and --trace choose what is told, also of a replay"},
    {" wavcapture stopcapture ", "reprise run --sound wav:FILE writes what is heard"},
    {" set_password expire_password change-vnc-password ",
     "reprise run --display vnc:PORT,password-file=FILE"},
    {" watchdog_action ", "reprise run --watchdog-action"},
    {" pmemsave memsave ", "'memory ADDRESS BYTES' shows what is there"},
};

/// "/COUNT FORMAT SIZE" of x and xp, without blanks: "/10xw".
struct Format {
  u64 count = 1;
  bool code = false;
  u64 unit_bytes = 4;
};

std::optional<Format> parse_format(std::string_view text) {
  Format format;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits != 0) {
    const auto count = parse_number(text.substr(0, digits));
    constexpr u64 kMostUnits = 65536;
    if (!count || *count == 0 || *count > kMostUnits) return std::nullopt;
    format.count = *count;
  }
  for (const char letter : text.substr(digits)) {
    switch (letter) {
      case 'i': format.code = true; break;
      case 'x':
      case 'd':
      case 'u':
      case 'o':
      case 'c': break;  // memory is shown as it is shown
      case 'b': format.unit_bytes = 1; break;
      case 'h': format.unit_bytes = 2; break;
      case 'w': format.unit_bytes = 4; break;
      case 'g': format.unit_bytes = 8; break;
      default: return std::nullopt;
    }
  }
  return format;
}

/// x and xp, whose format may stand at the name or be the next word.
Result<std::vector<std::string>, CommandError> examine(std::span<const std::string_view> words) {
  std::string_view name = words[0];
  std::string_view format_text;
  std::size_t used = 1;
  if (const std::size_t slash = name.find('/'); slash != name.npos) {
    format_text = name.substr(slash + 1);
    name = name.substr(0, slash);
  } else if (words.size() > 1 && words[1].starts_with('/')) {
    format_text = words[1].substr(1);
    used = 2;
  }
  const auto bad = [](std::string message) {
    return CommandError{CommandError::Kind::BadArgument, std::move(message)};
  };
  const bool phys = name == "xp";
  const std::optional<Format> format = parse_format(format_text);
  if (!format)
    return bad(fmt::format("'/{}' is no format such as /10i or /16xb.", format_text.substr(0, 60)));
  if (words.size() != used + 1) return bad(fmt::format("Say {} [/FORMAT] ADDRESS.", name));
  const std::string address(words[used]);
  if (!format->code)
    return std::vector<std::string>{"memory", address, fmt::format("{}", format->count * format->unit_bytes),
                                    phys ? "phys" : "linear"};
  if (phys) return bad("Instructions are shown at linear addresses: x/i ADDRESS.");
  return std::vector<std::string>{"disassemble", address, fmt::format("{}", format->count)};
}

/// p and print: "/FORMAT" at the name or as the next word, then an expression of any number of words.
std::vector<std::string> print_words(std::span<const std::string_view> words) {
  std::string_view format;
  std::size_t used = 1;
  if (const std::size_t slash = words[0].find('/'); slash != std::string_view::npos) {
    format = words[0].substr(slash + 1);
  } else if (words.size() > 1 && words[1].starts_with('/')) {
    format = words[1].substr(1);
    used = 2;
  }
  std::vector<std::string> out = {"print"};
  if (used < words.size()) out.push_back(fmt::format("{}", fmt::join(words.subspan(used), " ")));
  if (!format.empty()) out.emplace_back(format);
  return out;
}

/// type, whose text is the rest of the line.
std::vector<std::string> type_words(std::span<const std::string_view> words) {
  return {"type", fmt::format("{}", fmt::join(words.subspan(1), " "))};
}

/// eject and change, whose -f stands before the drive: ours are options behind it.
std::vector<std::string> forced(std::span<const std::string_view> words) {
  std::vector<std::string> out = {std::string(words[0])};
  out.insert(out.end(), words.begin() + 2, words.end());
  out.emplace_back("force");
  return out;
}

/// dump-guest-memory, before whose file there may be -p and -d, which change nothing here.
std::vector<std::string> dump_words(std::span<const std::string_view> words) {
  std::vector<std::string> out = {std::string(words[0])};
  for (const std::string_view word : words.subspan(1))
    if (word != "-p" && word != "-d") out.emplace_back(word);
  return out;
}

/// hostfwd_add and hostfwd_remove, before whose forward the name of a network may stand: there is one.
std::vector<std::string> forward_words(std::span<const std::string_view> words) {
  return {std::string(words[0]), std::string(words[2])};
}

}  // namespace

std::span<const QemuName> qemu_names() { return kNames; }

std::string_view instead_of_qemu_command(std::string_view name) {
  const std::string wanted = fmt::format(" {} ", name);
  const auto* const found = std::ranges::find_if(
      kHints, [&](const QemuHint& hint) { return hint.names.find(wanted) != std::string_view::npos; });
  return found == std::end(kHints) || name.find(' ') != name.npos ? std::string_view() : found->instead;
}

Result<std::vector<std::string>, CommandError> in_our_words(std::span<const std::string_view> words) {
  std::vector<std::string> out;
  if (words.empty()) return out;
  const std::string_view name = words[0].substr(0, words[0].find('/'));
  if (name == "x" || name == "xp") return examine(words);
  if (name == "p" || name == "print") return print_words(words);
  if (words.size() > 2 && name == "type") return type_words(words);
  if (words.size() > 1 && (name == "eject" || name == "change") && words[1] == "-f") return forced(words);
  if (name == "dump-guest-memory") return dump_words(words);
  if (words.size() == 3 && (name == "hostfwd_add" || name == "hostfwd_remove")) return forward_words(words);
  for (std::size_t count = std::min<std::size_t>(words.size(), 2); count > 0; --count) {
    const std::string first = count == 2 ? fmt::format("{} {}", words[0], words[1]) : std::string(words[0]);
    const auto* known = std::ranges::find(kNames, first, &QemuName::qemu);
    if (known == std::end(kNames)) continue;
    for (const std::string_view word : words_between(known->ours, " ")) out.emplace_back(word);
    out.insert(out.end(), words.begin() + static_cast<std::ptrdiff_t>(count), words.end());
    return out;
  }
  out.assign(words.begin(), words.end());
  return out;
}

}  // namespace reprise::machine::monitor
