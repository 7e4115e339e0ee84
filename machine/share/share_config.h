// What the user says of a shared folder.
#pragma once

#include <string>

#include "common/types.h"

namespace reprise::machine {

/// Mapped: files are the guest's root's until the guest gives them to somebody else, which is kept beside them. Real: as on the
/// host.
enum class ShareOwner : u8 { Mapped, Real };

struct ShareConfig {
  std::string path = {};  // of the folder
  std::string tag = {};   // by which the guest mounts it
  bool read_only = false;
  bool fixed_times = false;  // all files show one time
  ShareOwner owner = ShareOwner::Mapped;
};

}  // namespace reprise::machine
