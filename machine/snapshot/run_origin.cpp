#include "machine/snapshot/run_origin.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxWords = 100'000;
constexpr u64 kMaxWordBytes = 1 << 20;

}  // namespace

void save_origin(StateWriter& writer, const RunOrigin& origin) {
  writer.begin("origin");
  writer.text(origin.program);
  writer.text(origin.folder);
  writer.number(origin.words.size());
  for (const std::string& word : origin.words) writer.text(word);
  writer.end();
}

RunOrigin load_origin(StateReader& reader) {
  reader.begin("origin");
  RunOrigin origin;
  origin.program = reader.text(kMaxWordBytes);
  origin.folder = reader.text(kMaxWordBytes);
  const u64 count = reader.number();
  if (count > kMaxWords) reader.fail("It is damaged: its command has too many words.");
  for (u64 i = 0; reader.ok() && i < count; ++i) origin.words.push_back(reader.text(kMaxWordBytes));
  reader.end();
  return origin;
}

}  // namespace reprise::machine
