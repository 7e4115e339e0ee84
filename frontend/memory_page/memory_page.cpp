#include "frontend/memory_page/memory_page.h"

#include <nlohmann/json.hpp>

#include "frontend/memory_page/page_parts.h"
#include "frontend/version.h"
#include "machine/board/engine_factory.h"

namespace reprise::frontend {
namespace {

/// The words as a shell takes them.
std::string command_line(const std::vector<std::string>& words) {
  std::string line = "reprise";
  for (const std::string& word : words) {
    line += ' ';
    if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+,./:@%") ==
            std::string::npos &&
        !word.empty()) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) {
      if (c == '\'')
        line += "'\\''";
      else
        line += c;
    }
    line += '\'';
  }
  return line;
}

/// What a position is looked up in.
std::string recording_of(const RunOptions& options) {
  return !options.replay_path.empty() ? options.replay_path : options.record_path;
}

/// As the content of a script element: nothing in it may look like its end.
std::string for_element(std::string json) {
  for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos; at += 6)
    json.replace(at, 1, "\\u003c");
  return json;
}

void put(std::string& page, std::string_view mark, std::string_view text) {
  page.replace(page.find(mark), mark.size(), text);
}

}  // namespace

std::string memory_page_text(const machine::memory_report::MemoryReport& report, const RunOptions& options) {
  nlohmann::ordered_json json = {{"version", version_text()},
                                 {"command", command_line(options.command)},
                                 {"recording", recording_of(options)},
                                 {"engine", machine::name_of_engine(options.config.engine)},
                                 {"memory_bytes", options.config.ram_bytes}};
  json.update(memory_report_json(report));
  const PageParts& parts = page_parts();
  std::string page(parts.html);
  put(page, "/*STYLE*/", parts.style);
  std::string script;
  for (const std::string_view one : parts.scripts) script += one;
  put(page, "/*SCRIPT*/", script);
  // Names of programs may hold any bytes.
  put(page, "/*DATA*/",
      for_element(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)));
  return page;
}

}  // namespace reprise::frontend
