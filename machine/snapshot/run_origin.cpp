#include "machine/snapshot/run_origin.h"

namespace reprise::machine {
namespace {

constexpr u64 kMaxWords = 100'000;
constexpr u64 kMaxWordBytes = 1 << 20;

void put(StateWriter& writer, const std::string& text) {
  writer.number(text.size());
  writer.bytes({reinterpret_cast<const u8*>(text.data()), text.size()});
}

std::string get(StateReader& reader) {
  const u64 bytes = reader.number();
  if (bytes > kMaxWordBytes) reader.fail("It is damaged: a word of its command is too long.");
  std::string text(reader.ok() ? bytes : 0, '\0');
  reader.bytes({reinterpret_cast<u8*>(text.data()), text.size()});
  return text;
}

}  // namespace

void save_origin(StateWriter& writer, const RunOrigin& origin) {
  writer.begin("origin");
  put(writer, origin.program);
  put(writer, origin.folder);
  writer.number(origin.words.size());
  for (const std::string& word : origin.words) put(writer, word);
  writer.end();
}

RunOrigin load_origin(StateReader& reader) {
  reader.begin("origin");
  RunOrigin origin{.program = get(reader), .folder = get(reader), .words = {}};
  const u64 count = reader.number();
  if (count > kMaxWords) reader.fail("It is damaged: its command has too many words.");
  for (u64 i = 0; reader.ok() && i < count; ++i) origin.words.push_back(get(reader));
  reader.end();
  return origin;
}

}  // namespace reprise::machine
