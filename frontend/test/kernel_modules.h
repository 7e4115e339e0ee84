// Modules of a Linux kernel, and what they need.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/types.h"

namespace reprise::frontend {

struct KernelModule {
  std::string name;  // of its file
  std::string path;
  u64 bytes = 0;
};

/// Those of `wanted` ("virtio_blk") that are modules, and what they need before them, in the order in which they are loaded.
/// What is built in is no module. `folder` is such as /lib/modules/VERSION; empty: lib/modules/VERSION beside the folder of `kernel`, or this host's; none
/// of those: no modules. Error: a folder that was named has none, a file cannot be read.
Result<std::vector<KernelModule>> modules_for(const std::string& kernel, const std::string& folder,
                                              std::span<const std::string_view> wanted);

/// What `uname -r` says in a kernel, as the head of its bzImage does; empty: it is none.
std::string kernel_version(std::span<const u8> head);

}  // namespace reprise::frontend
