#include "machine/snapshot/state_file.h"

#include <algorithm>

namespace reprise::machine {

bool StateFileSink::write(std::span<const u8> bytes) {
  if (host_write(fd_.get(), offset_, bytes) != devices::BlockStatus::Ok) return false;
  offset_ += bytes.size();
  return true;
}

bool StateFileSource::read(std::span<u8> into) {
  if (host_read(fd_.get(), offset_, into).bytes != into.size()) return false;
  offset_ += into.size();
  return true;
}

bool StateMemorySource::read(std::span<u8> into) {
  if (into.size() > left_.size()) return false;
  std::copy_n(left_.begin(), into.size(), into.begin());
  left_ = left_.subspan(into.size());
  return true;
}

}  // namespace reprise::machine
