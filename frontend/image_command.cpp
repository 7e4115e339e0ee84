#include "frontend/image_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "frontend/options.h"
#include "machine/storage/image_tool.h"

namespace reprise::frontend {
namespace {

using machine::ImageInfo;

constexpr int kUsage = 2;
constexpr int kHostError = 20;

constexpr std::string_view kHelp =
    R"(usage: reprise image create FILE [SIZE] [--format raw|qcow2] [--backing FILE]
       reprise image info FILE [--json]
       reprise image commit FILE

create   makes an empty disk image of SIZE, for example 20G. The format is that of the name's ending
         (.qcow2, else raw). --backing makes a qcow2 overlay: it holds what differs from FILE,
         and is as large as that if no SIZE is given.
info     says what an image is, what it holds and what it lies over.
commit   writes what an overlay holds into the image it lies over, and empties the overlay.

qcow2 images need qemu-img (Debian's package qemu-utils).
)";

void say(std::string_view text) { fmt::print(stderr, "reprise: {}\n", text); }

int usage(std::string_view problem) {
  say(fmt::format("{}; see reprise image --help.", problem));
  return kUsage;
}

int failed(const Error& error) {
  say(error.message);
  return kHostError;
}

std::string human(u64 bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {} ({} bytes)", value, kUnits[unit], bytes);
}

struct Words {
  std::string file, size, format, backing;
  bool json = false;
};

int create(const Words& words) {
  std::string format = words.format;
  if (format.empty()) format = words.file.ends_with(".qcow2") || !words.backing.empty() ? "qcow2" : "raw";
  if (format != "raw" && format != "qcow2")
    return usage(fmt::format("--format '{}' is none of raw, qcow2", format));
  std::optional<u64> bytes;
  if (!words.size.empty()) {
    bytes = parse_size(words.size);
    if (!bytes) return usage(fmt::format("size '{}' is not a size such as 512M or 20G", words.size));
    constexpr u64 kMaxBytes = u64{1} << 60;
    if (*bytes == 0 || *bytes % 512 != 0 || *bytes > kMaxBytes)
      return usage(
          fmt::format("size '{}' is not a multiple of 512 bytes above 0 and below 1024P", words.size));
  }
  if (words.backing.empty() && !bytes) return usage("no size was given: reprise image create FILE SIZE");
  if (format == "raw") {
    if (!words.backing.empty()) return usage("a raw image has no backing file: give --format qcow2");
    const auto made = machine::create_raw(words.file, *bytes);
    return made ? 0 : failed(made.error());
  }
  std::string backing_format;
  if (!words.backing.empty()) {
    const auto chain = machine::describe_image(words.backing);
    if (!chain) return failed(chain.error());
    backing_format = chain.value().front().qemu_format;
    if (backing_format.empty())
      return failed(Error{fmt::format("image '{}' is {}: it cannot lie under another.", words.backing,
                                      chain.value().front().format)});
  }
  const auto made = machine::create_qcow2(
      {.path = words.file, .backing_path = words.backing, .backing_format = backing_format, .bytes = bytes});
  return made ? 0 : failed(made.error());
}

int info(const Words& words) {
  const auto chain = machine::describe_image(words.file);
  if (!chain) return failed(chain.error());
  if (words.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const ImageInfo& image : chain.value()) {
      nlohmann::json entry = {{"file", image.path},
                              {"format", image.format},
                              {"virtual_bytes", image.virtual_bytes},
                              {"allocated_bytes", image.allocated_bytes},
                              {"dirty", image.dirty},
                              {"corrupt", image.corrupt},
                              {"encrypted", image.encrypted}};
      if (image.cluster_bytes) entry["cluster_bytes"] = *image.cluster_bytes;
      out.push_back(std::move(entry));
    }
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
  }
  std::string_view indent;
  for (const ImageInfo& image : chain.value()) {
    fmt::print("{}{}\n", indent.empty() ? "" : "lies over ", image.path);
    indent = "  ";
    fmt::print("{}format     {}\n", indent, image.format);
    fmt::print("{}disk size  {}\n", indent, human(image.virtual_bytes));
    fmt::print("{}on disk    {}\n", indent, human(image.allocated_bytes));
    if (image.cluster_bytes) fmt::print("{}clusters   {}\n", indent, human(*image.cluster_bytes));
    if (image.dirty)
      fmt::print("{}dirty      its reference counts are rebuilt when it is next opened for writing\n",
                 indent);
    if (image.corrupt) fmt::print("{}corrupt    repair it with: qemu-img check -r all\n", indent);
    if (image.encrypted) fmt::print("{}encrypted\n", indent);
  }
  return 0;
}

int commit(const Words& words) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const auto base =
      machine::commit_image(words.file, terminal ? machine::Progress::Shown : machine::Progress::Silent);
  if (!base) return failed(base.error());
  fmt::print("'{}' is committed into '{}'.\n", words.file, base.value());
  return 0;
}

}  // namespace

int image_command(const std::vector<std::string>& words) {
  if (words.empty()) return usage("no image command was given: create, info or commit");
  if (std::find(words.begin(), words.end(), "--help") != words.end() || words[0] == "-h" ||
      words[0] == "help") {
    fmt::print("{}", kHelp);
    return 0;
  }
  CLI::App app("reprise image");
  app.set_help_flag();
  Words given;
  app.add_option("FILE", given.file)->required();
  if (words[0] == "create") {
    app.add_option("SIZE", given.size);
    app.add_option("--format", given.format);
    app.add_option("--backing", given.backing);
  } else if (words[0] == "info") {
    app.add_flag("--json", given.json);
  } else if (words[0] != "commit") {
    return usage(fmt::format("unknown image command '{}': there are create, info and commit", words[0]));
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend() - 1));
  } catch (const CLI::ExtrasError&) {
    return usage(fmt::format("unknown option or argument '{}'", app.remaining().at(0)));
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    std::replace(message.begin(), message.end(), '\n', ' ');
    return usage(message);
  }
  if (given.file.empty()) return usage("the name of the image is empty");
  if (words[0] == "create") return create(given);
  return words[0] == "info" ? info(given) : commit(given);
}

}  // namespace reprise::frontend
