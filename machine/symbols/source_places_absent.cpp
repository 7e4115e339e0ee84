// In a build without libdw.
#include "machine/symbols/source_places.h"

namespace reprise::machine::symbols {

struct SourcePlaces::Files {};

SourcePlaces::SourcePlaces(std::string, const std::string&) {}
SourcePlaces::~SourcePlaces() = default;

std::string SourcePlaces::line_of(std::string_view, u64, std::string_view) { return {}; }

}  // namespace reprise::machine::symbols
