// Questions and answers of shares as the log of the outside keeps them: without the folder, a run can be repeated from it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "devices/p9/share_backend.h"

namespace reprise::machine {

/// "read 4096 at 0 of handle 7". Names are as they are: any bytes.
std::string describe(const devices::ShareQuestion& question);

/// Content that was written once is only named by its digest afterwards.
class ShareLog {
 public:
  std::vector<u8> entry(const devices::ShareAnswer& answer);

 private:
  std::set<std::pair<u64, u64>> known_;  // digests of what stands in earlier entries
};

/// The same log, read from its beginning on. It may be anybody's.
class RecordedShareLog {
 public:
  /// Nothing: it is no such entry.
  std::optional<devices::ShareAnswer> answer(std::span<const u8> entry);

 private:
  std::map<std::pair<u64, u64>, std::vector<u8>> known_;
};

}  // namespace reprise::machine
