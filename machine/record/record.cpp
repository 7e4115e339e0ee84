#include "machine/record/record.h"

#include <algorithm>

#include "common/hash.h"
#include "machine/record/record_bytes.h"

namespace reprise::machine {
namespace {

enum class Kind : u8 { Run, Event, Hash, End, Piece, File };

constexpr u64 kMaxPayloadBytes = 256 << 20;
constexpr std::size_t kMaxNames = 1 << 12;
constexpr std::size_t kDigestBytes = RecordDecoder::kBytesBehindContent;

u32 digest_of(std::span<const u8> payload) { return static_cast<u32>(hash64(payload)); }

void put_strings(RecordBytes& bytes, const std::vector<std::string>& strings) {
  bytes.number(strings.size());
  for (const std::string& text : strings) bytes.text(text);
}

std::vector<std::string> get_strings(RecordParser& parser) {
  std::vector<std::string> strings;
  for (u64 left = parser.number(); left != 0 && parser.ok(); --left) strings.push_back(parser.text());
  return strings;
}

/// Its number, and itself where that is new.
void put_name(RecordBytes& out, std::vector<std::string>& names, const std::string& name) {
  const auto known = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  out.number(known);
  if (known != names.size()) return;
  out.text(name);
  if (known < kMaxNames) names.push_back(name);
}

std::string get_name(RecordParser& in, std::vector<std::string>& names) {
  const u64 number = in.number();
  if (number < names.size()) return names[number];
  if (number != names.size()) return in.fail(), std::string();
  std::string name = in.text();
  if (names.size() < kMaxNames) names.push_back(name);
  return name;
}

void put_reads(RecordBytes& out, std::vector<std::string>& names, const std::vector<RecordedReads>& all) {
  out.number(all.size());
  for (const RecordedReads& reads : all) {
    put_name(out, names, reads.drive);
    out.fixed64(reads.digest);
  }
}

std::vector<RecordedReads> get_reads(RecordParser& in, std::vector<std::string>& names) {
  std::vector<RecordedReads> all;
  for (u64 left = in.number(); left != 0 && in.ok(); --left) {
    std::string drive = get_name(in, names);
    all.push_back({std::move(drive), in.fixed64()});
  }
  return all;
}

void put_file_ids(RecordBytes& out, const std::vector<RecordedFileId>& files) {
  out.number(files.size());
  for (const RecordedFileId& file : files) {
    out.text(file.what);
    out.text(file.name);
    out.number(file.bytes);
    out.fixed64(file.digest);
  }
}

std::vector<RecordedFileId> get_file_ids(RecordParser& in) {
  std::vector<RecordedFileId> files;
  for (u64 left = in.number(); left != 0 && in.ok(); --left) {
    RecordedFileId file;
    file.what = in.text();
    file.name = in.text();
    file.bytes = in.number();
    file.digest = in.fixed64();
    files.push_back(std::move(file));
  }
  return files;
}

void put_facts(RecordBytes& out, const PackedFile& facts) {
  out.number(facts.bytes);
  out.byte(facts.media ? static_cast<u8>(1 + static_cast<u8>(*facts.media)) : 0);
  out.text(facts.format);
  out.number(facts.file_bytes);
  out.signed_number(facts.modified_unix_ns);
}

PackedFile get_facts(RecordParser& in) {
  constexpr u64 kMaxFileBytes = u64{1} << 62;
  PackedFile facts;
  facts.bytes = in.number();
  const u8 media = in.byte();
  if (media > 1 + static_cast<u8>(DiskMedia::Floppy) || facts.bytes > kMaxFileBytes) in.fail();
  if (media != 0) facts.media = static_cast<DiskMedia>(media - 1);
  facts.format = in.text();
  facts.file_bytes = in.number();
  facts.modified_unix_ns = in.signed_number();
  return facts;
}

void put_content(RecordBytes& out, const Event& event) {
  struct Content {
    RecordBytes& out;
    void operator()(const BytesEvent& bytes) { out.bytes(bytes.bytes); }
    void operator()(const KeyEvent& key) {
      out.text(name_of(key.key));
      out.byte(key.down);
    }
    void operator()(const MediumEvent& medium) { out.text(medium.change); }
    void operator()(const ButtonEvent&) {}
    void operator()(const AnswerEvent& answer) {
      out.text(answer.question);
      out.bytes(answer.answer);
    }
    void operator()(const PointerEvent& pointer) {
      const PointerChange& change = pointer.change;
      out.byte(static_cast<u8>(change.motion));
      out.signed_number(change.x);
      out.signed_number(change.y);
      out.signed_number(change.wheel);
      out.byte(change.buttons);
    }
    void operator()(const PacketEvent& packet) { out.bytes(packet.frame); }
  };
  std::visit(Content{out}, event);
}

Event get_content(RecordParser& in, EventType type) {
  switch (type) {
    case EventType::Bytes: return BytesEvent{in.bytes()};
    case EventType::Key: {
      const KeyRow* const row = find_key(in.text());
      if (row == nullptr) in.fail();
      return KeyEvent{row == nullptr ? Key::None : row->key, in.byte() != 0};
    }
    case EventType::Medium: return MediumEvent{in.text()};
    case EventType::Button: return ButtonEvent{};
    case EventType::Answer: {
      std::string question = in.text();
      return AnswerEvent{std::move(question), in.bytes()};
    }
    case EventType::Pointer: {
      PointerChange change;
      const u8 motion = in.byte();
      if (motion > static_cast<u8>(PointerChange::Motion::Absolute)) in.fail();
      change.motion = static_cast<PointerChange::Motion>(motion);
      change.x = static_cast<decltype(change.x)>(in.signed_number());
      change.y = static_cast<decltype(change.y)>(in.signed_number());
      change.wheel = static_cast<decltype(change.wheel)>(in.signed_number());
      change.buttons = in.byte();
      const auto outside = [](i32 value) { return value < 0 || value > kPointerMax; };
      if ((change.buttons & ~pointer_buttons::kAll) != 0 ||
          (change.motion == PointerChange::Motion::Absolute && (outside(change.x) || outside(change.y))))
        in.fail();
      return PointerEvent{change};
    }
    case EventType::Packet: return PacketEvent{in.bytes()};
  }
  in.fail();
  return ButtonEvent{};
}

void put_position(RecordBytes& out, Position& last, const Position& at) {
  out.number(at.retired - last.retired);
  // Idle time, which only grows.
  out.signed_number(static_cast<i64>((at.virtual_ns - at.retired) - (last.virtual_ns - last.retired)));
  out.number(at.step);
  last = at;
}

Position get_position(RecordParser& in, Position& last) {
  Position at;
  at.retired = last.retired + in.number();
  at.virtual_ns = at.retired + (last.virtual_ns - last.retired) + static_cast<u64>(in.signed_number());
  at.step = in.number();
  last = at;
  return at;
}

}  // namespace

std::vector<u8> RecordEncoder::encode(const RecordEntry& record) {
  RecordBytes out;
  if (const auto* run = std::get_if<RecordedRun>(&record)) {
    out.byte(static_cast<u8>(Kind::Run));
    out.text(run->program);
    out.text(run->folder);
    put_strings(out, run->words);
    out.text(run->state);
    put_strings(out, run->shape);
    put_file_ids(out, run->files);
  } else if (const auto* event = std::get_if<LoggedEvent>(&record)) {
    out.byte(static_cast<u8>(Kind::Event));
    put_position(out, context_.last, event->at);
    put_name(out, context_.sinks, event->sink);
    out.byte(static_cast<u8>(type_of(event->event)));
    put_content(out, event->event);
  } else if (const auto* hash = std::get_if<RecordedHash>(&record)) {
    out.byte(static_cast<u8>(Kind::Hash));
    put_position(out, context_.last, hash->at);
    out.fixed64(hash->state_hash);
    put_reads(out, context_.sinks, hash->reads);
  } else if (const auto* end = std::get_if<RecordedEnd>(&record)) {
    out.byte(static_cast<u8>(Kind::End));
    put_position(out, context_.last, end->at);
    out.byte(end->reason);
    out.signed_number(end->exit_code);
    out.text(end->message);
    out.fixed64(end->state_hash);
    put_reads(out, context_.sinks, end->reads);
  } else if (const auto* piece = std::get_if<RecordedPiece>(&record)) {
    out.byte(static_cast<u8>(Kind::Piece));
    put_name(out, context_.files, piece->file);
    out.number(piece->offset);
    out.number(piece->bytes);
    out.bytes(piece->content);
  } else if (const auto* file = std::get_if<RecordedFile>(&record)) {
    out.byte(static_cast<u8>(Kind::File));
    put_name(out, context_.files, file->file);
    put_facts(out, file->facts);
  }
  RecordBytes whole;
  whole.bytes(out.content());
  whole.fixed32(digest_of(out.content()));
  return whole.take();
}

RecordDecoder::Outcome RecordDecoder::decode(std::span<const u8>& bytes, RecordEntry& record) {
  RecordParser whole(bytes);
  const u64 length = whole.number();
  if (!whole.ok())
    return bytes.size() < RecordParser::kMaxNumberBytes ? Outcome::Incomplete : Outcome::Damaged;
  if (length > kMaxPayloadBytes) return Outcome::Damaged;
  if (whole.left().size() < length + kDigestBytes) return Outcome::Incomplete;
  const std::span<const u8> payload = whole.left().first(length);
  RecordParser behind(whole.left().subspan(length));
  if (behind.fixed32() != digest_of(payload)) return Outcome::Damaged;

  RecordParser in(payload);
  switch (static_cast<Kind>(in.byte())) {
    case Kind::Run: {
      RecordedRun run;
      run.program = in.text();
      run.folder = in.text();
      run.words = get_strings(in);
      run.state = in.text();
      run.shape = get_strings(in);
      run.files = get_file_ids(in);
      record = std::move(run);
      break;
    }
    case Kind::Event: {
      LoggedEvent event;
      event.at = get_position(in, context_.last);
      event.sink = get_name(in, context_.sinks);
      event.event = get_content(in, static_cast<EventType>(in.byte()));
      record = std::move(event);
      break;
    }
    case Kind::Hash: {
      RecordedHash hash;
      hash.at = get_position(in, context_.last);
      hash.state_hash = in.fixed64();
      hash.reads = get_reads(in, context_.sinks);
      record = std::move(hash);
      break;
    }
    case Kind::End: {
      RecordedEnd end;
      end.at = get_position(in, context_.last);
      end.reason = in.byte();
      end.exit_code = static_cast<i32>(in.signed_number());
      end.message = in.text();
      end.state_hash = in.fixed64();
      end.reads = get_reads(in, context_.sinks);
      record = std::move(end);
      break;
    }
    case Kind::Piece: {
      RecordedPiece piece;
      piece.file = get_name(in, context_.files);
      piece.offset = in.number();
      piece.bytes = in.number();
      piece.content = in.bytes();
      if (!piece.content.empty() && piece.content.size() != piece.bytes) in.fail();
      record = std::move(piece);
      break;
    }
    case Kind::File: {
      RecordedFile file;
      file.file = get_name(in, context_.files);
      file.facts = get_facts(in);
      record = std::move(file);
      break;
    }
    default: return Outcome::Damaged;
  }
  if (!in.ok() || !in.left().empty()) return Outcome::Damaged;
  bytes = behind.left();
  return Outcome::Whole;
}

}  // namespace reprise::machine
