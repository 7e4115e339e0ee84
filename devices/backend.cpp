#include "devices/backend.h"

namespace reprise::devices {

std::string_view describe(BlockStatus status) {
  switch (status) {
    case BlockStatus::Ok: return "done";
    case BlockStatus::ReadError: return "the host could not read";
    case BlockStatus::WriteError: return "the host could not write";
    case BlockStatus::NoSpace: return "the host's disk is full, or a quota there";
    case BlockStatus::ReadOnly: return "the image is read-only";
    case BlockStatus::OutOfRange: return "beyond the end of the image";
    case BlockStatus::Refused: return "the image would be taken for one of another format";
    case BlockStatus::TooLarge: return "a limit on the size of files was reached on the host (ulimit -f)";
  }
  return "";
}

}  // namespace reprise::devices
