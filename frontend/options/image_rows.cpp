#include "frontend/options/image_rows.h"

namespace reprise::frontend {
namespace {

using ImageOption = Option<ImageRequest>;
using ImageGroup = OptionGroup<ImageRequest>;

constexpr ImageOption file_row(std::string_view help) {
  return {
      .name = "FILE", .help = help, .required = true, .set = [](ImageRequest& request, const Given& given) {
        request.file = given.value;
      }};
}

constexpr ImageOption kCreateRows[] = {
    file_row("the image, which must not be there yet"),
    {.name = "SIZE",
     .help = "for example 20G; an overlay is as large as what it lies over if none is given",
     .set = [](ImageRequest& request, const Given& given) { request.size = given.value; }},
    {.name = "--format",
     .value = "raw|qcow2",
     .help = "the format; by default that of the name's ending (.qcow2, else raw)",
     .words = "raw qcow2",
     .set = [](ImageRequest& request, const Given& given) { request.format = given.value; }},
    {.name = "--backing",
     .value = "FILE",
     .help = "makes a qcow2 overlay: it holds what differs from FILE",
     .set = [](ImageRequest& request, const Given& given) { request.backing = given.value; }},
};

constexpr ImageOption kInfoRows[] = {
    file_row("the image"),
    {.name = "--json",
     .help = "for programs: an array of objects, the image first, then what it lies over",
     .set = [](ImageRequest& request, const Given&) { request.json = true; }},
};

constexpr ImageOption kCommitRows[] = {file_row("the overlay")};

}  // namespace

std::span<const ImageCommand> image_commands() {
  static const ImageGroup kCreate[] = {{"", "", kCreateRows}};
  static const ImageGroup kInfo[] = {{"", "", kInfoRows}};
  static const ImageGroup kCommit[] = {{"", "", kCommitRows}};
  static const ImageCommand kCommands[] = {
      {"image create", "Makes an empty disk image.", kCreate},
      {"image info", "Says what an image is, what it holds and what it lies over.", kInfo},
      {"image commit", "Writes what an overlay holds into the image it lies over, and empties the overlay.",
       kCommit},
  };
  return kCommands;
}

}  // namespace reprise::frontend
