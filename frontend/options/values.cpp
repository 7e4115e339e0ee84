#include "frontend/options/values.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace reprise::frontend {
namespace {

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<u64> parse_size(std::string_view text) {
  const std::size_t unit_at = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view unit = text.substr(unit_at);
  const std::string_view number = text.substr(0, unit_at);
  const std::size_t point = number.find('.');
  const std::optional<u64> count = whole<u64>(number.substr(0, point));
  if (!count) return std::nullopt;
  unsigned shift = 0;
  if (!unit.empty()) {
    constexpr std::string_view kUnits = "KMGT";
    const std::size_t index = kUnits.find(unit[0] >= 'a' ? static_cast<char>(unit[0] - 'a' + 'A') : unit[0]);
    const std::string_view rest = unit.substr(1);
    if (index == kUnits.npos || (!rest.empty() && rest != "iB" && rest != "B")) return std::nullopt;
    shift = 10 * static_cast<unsigned>(index + 1);
  }
  if (*count > (~u64{0} >> shift)) return std::nullopt;
  u64 bytes = *count << shift;
  if (point != number.npos) {
    constexpr std::size_t kMostDigits = 6;
    const std::string_view digits = number.substr(point + 1);
    const std::optional<u64> parts = whole<u64>(digits);
    if (!parts || digits.size() > kMostDigits || shift == 0) return std::nullopt;
    u64 whole_parts = 1;
    for (std::size_t i = 0; i < digits.size(); ++i) whole_parts *= 10;
    const u64 more = (static_cast<u64>(*parts) << shift) / whole_parts;
    bytes += more;
    if (bytes < more) return std::nullopt;
    bytes -= bytes % kPageBytes;
  }
  return bytes;
}

std::optional<u64> parse_memory(std::string_view text) {
  const std::optional<u64> bytes = parse_size(text);
  const bool no_unit = text.find_first_not_of("0123456789") == std::string_view::npos;
  // Nobody means so few bytes.
  return bytes && no_unit && *bytes < machine::kMinRamBytes ? *bytes * machine::kMiB : bytes;
}

std::optional<double> parse_seconds(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr double kMaxSeconds = 1e9;  // about 30 years; virtual nanoseconds then still fit
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value) || value <= 0 || value > kMaxSeconds) return std::nullopt;
  return value;
}

std::optional<i64> parse_time(std::string_view text) {
  using namespace std::chrono;
  if (text == "now") return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  if (const std::optional<i64> unix_seconds = whole<i64>(text)) {
    constexpr i64 kYear10000 = 253'402'300'800;
    if (*unix_seconds < 0 || *unix_seconds >= kYear10000) return std::nullopt;
    return unix_seconds;
  }
  // yyyy-mm-dd, optionally followed by Thh:mm:ss
  const bool with_time = text.size() == 19;
  if ((text.size() != 10 && !with_time) || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t count) {
    return whole<unsigned>(text.substr(at, count));
  };
  const auto y = part(0, 4), m = part(5, 2), d = part(8, 2);
  if (!y || !m || !d) return std::nullopt;
  const year_month_day date{year(static_cast<int>(*y)), month(*m), day(*d)};
  if (!date.ok() || *y < 1970) return std::nullopt;
  i64 seconds_of_day = 0;
  if (with_time) {
    if ((text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') return std::nullopt;
    const auto hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
    seconds_of_day = i64{*hour} * 3600 + i64{*minute} * 60 + *second;
  }
  return i64{sys_days(date).time_since_epoch().count()} * 86400 + seconds_of_day;
}

std::optional<std::string> parse_monitor(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (!text.starts_with(kUnix) || text.size() == kUnix.size()) return std::nullopt;
  return std::string(text.substr(kUnix.size()));
}

std::optional<SoundTarget> parse_sound(std::string_view text) {
  constexpr std::string_view kWav = "wav:";
  if (text == "none") return SoundTarget{};
  if (text == "sdl") return SoundTarget{.kind = SoundTarget::Kind::Sdl};
  if (!text.starts_with(kWav) || text.size() == kWav.size()) return std::nullopt;
  return SoundTarget{.kind = SoundTarget::Kind::Wav, .path = std::string(text.substr(kWav.size()))};
}

std::optional<SerialTarget> parse_serial(std::string_view text) {
  using Kind = SerialTarget::Kind;
  constexpr std::string_view kFile = "file:", kPipe = "pipe:";
  for (const std::string_view word : {",log=", ",log-append="}) {
    const std::size_t at = text.find(word);
    if (at == text.npos || at + word.size() == text.size()) continue;
    std::optional<SerialTarget> target = parse_serial(text.substr(0, at));
    if (!target) return std::nullopt;
    target->log_path = text.substr(at + word.size());
    target->log_goes_on = word == ",log-append=";
    return target;
  }
  if (text == "stdio") return SerialTarget{Kind::Stdio};
  if (text == "null") return SerialTarget{Kind::Null};
  if (text == "pty") return SerialTarget{Kind::Pty};
  if (text.starts_with(kFile) && text.size() > kFile.size())
    return SerialTarget{.kind = Kind::File, .path = std::string(text.substr(kFile.size()))};
  if (text.starts_with(kPipe) && text.size() > kPipe.size())
    return SerialTarget{.kind = Kind::Pipe, .path = std::string(text.substr(kPipe.size()))};
  const std::optional<SocketAddress> address = parse_socket_address(text);
  if (!address) return std::nullopt;
  return SerialTarget{.kind = Kind::Socket, .socket = *address};
}

}  // namespace reprise::frontend
