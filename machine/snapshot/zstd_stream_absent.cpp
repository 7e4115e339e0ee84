// A build without libzstd: nobody calls these where zstd_is_offered() says no.
#include "machine/snapshot/zstd_stream.h"

namespace reprise::machine {

bool zstd_is_offered() { return false; }
std::unique_ptr<StateSink> zstd_packer(StateSink&) { return nullptr; }
std::unique_ptr<StateSource> zstd_unpacker(int) { return nullptr; }

}  // namespace reprise::machine
