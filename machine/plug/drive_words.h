// Drives as the words of a command say them.
#pragma once

#include <string>

namespace reprise::machine {

/// `word`, an option with its value behind "=", without what makes a drive's writes go to a file: write= and overlay=.
std::string without_written_files(std::string word);

}  // namespace reprise::machine
