#include "frontend/image_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/words.h"
#include "frontend/command_line.h"
#include "frontend/manual/formats.h"
#include "frontend/options/image_rows.h"
#include "frontend/options/take_words.h"
#include "frontend/options/values.h"
#include "frontend/signals.h"
#include "machine/storage/image_tool.h"

namespace reprise::frontend {
namespace {

using machine::ImageInfo;

constexpr int kUsage = 2;
constexpr int kHostError = 20;

int usage(StandardOutputs& outputs, std::string_view problem) {
  outputs.err.tell(usage_error(problem, "image").text);
  return kUsage;
}

int failed(StandardOutputs& outputs, const Error& error) {
  outputs.say(error.message);
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

/// The ending of `path` in small letters: "vmdk".
std::string ending_of(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return in_small_letters(dot == name.npos ? std::string_view() : name.substr(dot + 1));
}

/// Endings of what is neither raw nor qcow2.
constexpr std::string_view kForeignEndings[] = {"vmdk", "vdi", "vhd", "vhdx", "vpc", "qed",
                                                "qcow", "hdd", "dmg", "ova",  "iso", "gz",
                                                "xz",   "zst", "bz2", "zip",  "7z",  "tar"};

int create(StandardOutputs& outputs, const ImageRequest& request) {
  const std::string ending = ending_of(request.file);
  std::string format = request.format;
  if (format.empty() && std::ranges::find(kForeignEndings, ending) != std::end(kForeignEndings))
    return usage(
        outputs,
        fmt::format("'{}' is named as no raw or qcow2 image is: give another name, or --format raw or qcow2",
                    request.file));
  if (format.empty()) format = ending == "qcow2" || !request.backing.empty() ? "qcow2" : "raw";
  if (format != "raw" && format != "qcow2")
    return usage(outputs, fmt::format("--format '{}' is none of raw, qcow2", format));
  std::optional<u64> bytes;
  if (!request.size.empty()) {
    bytes = parse_size(request.size);
    if (!bytes)
      return usage(outputs, fmt::format("size '{}' is not a size such as 512M or 1.5G", request.size));
    constexpr u64 kMaxBytes = u64{1} << 60;
    if (*bytes == 0 || *bytes % 512 != 0 || *bytes > kMaxBytes)
      return usage(
          outputs,
          fmt::format("size '{}' is not a multiple of 512 bytes above 0 and below 1024P; 20G has a unit",
                      request.size));
  }
  if (request.backing.empty() && !bytes)
    return usage(outputs, "no size was given: reprise image create FILE SIZE");
  if (format == "raw") {
    if (!request.backing.empty())
      return usage(outputs, "a raw image has no backing file: give --format qcow2");
    const auto made = machine::create_raw(request.file, *bytes);
    return made ? 0 : failed(outputs, made.error());
  }
  std::string backing_format;
  if (!request.backing.empty()) {
    const auto chain = machine::describe_image(request.backing);
    if (!chain) return failed(outputs, chain.error());
    backing_format = chain.value().front().qemu_format;
    if (backing_format.empty())
      return failed(outputs, Error{fmt::format("image '{}' is {}: it cannot lie under another.",
                                               request.backing, chain.value().front().format)});
  }
  const auto made = machine::create_qcow2({.path = request.file,
                                           .backing_path = request.backing,
                                           .backing_format = backing_format,
                                           .bytes = bytes});
  return made ? 0 : failed(outputs, made.error());
}

int info(StandardOutputs& outputs, const ImageRequest& request) {
  const auto chain = machine::describe_image(request.file);
  if (!chain) return failed(outputs, chain.error());
  if (request.json) {
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
    outputs.out.write(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
    return 0;
  }
  std::string_view indent;
  std::string text;
  for (const ImageInfo& image : chain.value()) {
    text += fmt::format("{}{}\n", indent.empty() ? "" : "lies over ", in_one_line(image.path));
    indent = "  ";
    text += fmt::format("{}format     {}\n", indent, image.format);
    text += fmt::format("{}disk size  {}\n", indent, human(image.virtual_bytes));
    text += fmt::format("{}on disk    {}\n", indent, human(image.allocated_bytes));
    if (image.cluster_bytes) text += fmt::format("{}clusters   {}\n", indent, human(*image.cluster_bytes));
    if (image.dirty)
      text += fmt::format(
          "{}dirty      its reference counts are rebuilt when it is next opened for writing\n", indent);
    if (image.corrupt) text += fmt::format("{}corrupt    repair it with: qemu-img check -r all\n", indent);
    if (image.encrypted) text += fmt::format("{}encrypted\n", indent);
  }
  outputs.out.write(text);
  return 0;
}

int commit(StandardOutputs& outputs, const ImageRequest& request) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  // One that comes meanwhile ends qemu-img, and us when the user knows what has become of the images.
  const HeldSignals held;
  const auto base =
      machine::commit_image(request.file, terminal ? machine::Progress::Shown : machine::Progress::Silent);
  if (!base) {
    outputs.err.give_up_when([] { return true; });
    return failed(outputs, base.error());
  }
  outputs.out.write(in_one_line(fmt::format("'{}' is committed into '{}'.", request.file, base.value())) +
                    '\n');
  return 0;
}

}  // namespace

int image_command(const std::vector<std::string>& words, StandardOutputs& outputs) {
  if (words.empty()) return usage(outputs, "no image command was given: create, info or commit");
  if (asks_for_help(words) || words[0] == "help") {
    outputs.out.write(help_text(image_manuals()));
    return 0;
  }
  const std::string name = "image " + words[0];
  const auto commands = image_commands();
  const auto command = std::ranges::find(commands, name, &ImageCommand::name);
  if (command == commands.end())
    return usage(outputs,
                 fmt::format("unknown image command '{}': there are create, info and commit", words[0]));
  ImageRequest request;
  try {
    apply_words(command->groups, std::vector<std::string>(words.begin() + 1, words.end()), request);
  } catch (const BadValue& bad) {
    return usage(outputs, bad.message);
  }
  return words[0] == "create" ? create(outputs, request)
         : words[0] == "info" ? info(outputs, request)
                              : commit(outputs, request);
}

}  // namespace reprise::frontend
