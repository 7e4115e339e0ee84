#include "frontend/test/input_digest.h"

#include <fmt/format.h>

#include <utility>

#include "common/hash.h"
#include "frontend/version.h"
#include "machine/snapshot/state_stream.h"
#include "machine/storage/host_file.h"

namespace reprise::frontend {
namespace {

constexpr u64 kMaxFileBytes = u64{4} << 30;

}  // namespace

Result<u64> digest_of_files(const TestRequest& request, const std::string& initramfs, u64 digest) {
  for (const auto& [what, path] : {std::pair("kernel", request.kernel), std::pair("initrd", initramfs)})
    if (path != initramfs || !request.kernel_tests)
      digest = hash64(TRY(machine::read_host_file(what, path, kMaxFileBytes)), digest);
  return digest;
}

u64 digest_of_text(std::string_view text, u64 digest) {
  return hash64({reinterpret_cast<const u8*>(text.data()), text.size()}, digest);
}

std::string build_and_format() { return fmt::format("{} {}", build_text(), machine::kStateFormat); }

}  // namespace reprise::frontend
