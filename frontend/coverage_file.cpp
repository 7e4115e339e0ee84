#include "frontend/coverage_file.h"

#include <fmt/format.h>

#include "machine/observe/coverage_lcov.h"

namespace reprise::frontend {
namespace {

bool is_lcov(const std::string& path) { return path.ends_with(".info"); }

Result<std::string> lcov_of(const machine::Coverage& coverage, const machine::Machine& machine,
                            const std::string& symbols_path) {
  const auto slide = machine.symbols().slide();
  if (!slide)
    return Error{fmt::format("where the kernel of '{}' runs is not known, so it has ranges of addresses",
                             symbols_path)};
  const auto lines = machine::symbols::read_source_lines(symbols_path);
  if (!lines) return Error{fmt::format("'{}' {}", symbols_path, lines.error().message)};
  return machine::lcov_text(coverage.executed(machine::CodeOf::Kernel), lines.value(), slide->bytes);
}

}  // namespace

Result<Done> check_coverage_file(const RunOptions& options) {
  if (!is_lcov(options.coverage_path)) return Done{};
  if (options.symbols_path.empty())
    return Error{
        fmt::format("--coverage '{}' is for lines of source, which --symbols vmlinux knows: add that, or "
                    "give a name that does not end in .info.",
                    options.coverage_path),
        ErrorKind::Usage};
  const auto lines = machine::symbols::check_source_lines(options.symbols_path);
  if (!lines)
    return Error{fmt::format("--coverage '{}': '{}' {}.", options.coverage_path, options.symbols_path,
                             lines.error().message),
                 ErrorKind::Usage};
  return Done{};
}

std::string coverage_text(const machine::Coverage& coverage, const machine::Machine& machine,
                          const RunOptions& options, Losses& losses) {
  if (!is_lcov(options.coverage_path)) return coverage.text();
  Result<std::string> text = lcov_of(coverage, machine, options.symbols_path);
  if (text) return text.take();
  losses.add(fmt::format("coverage '{}'", options.coverage_path), text.error().message, 0);
  return coverage.text();
}

}  // namespace reprise::frontend
