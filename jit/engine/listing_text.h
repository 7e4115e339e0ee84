// A translation as lines of text, for --dump and --hot-blocks.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "jit/host/listing.h"
#include "jit/jit_options.h"

namespace reprise::jit {

/// What was made of a Listing's code: bytes that ran at `hot_at` and, for slow paths and exits, at `cold_at`.
struct ListedCode {
  std::span<const u8> hot, cold;
  u64 hot_at = 0;
  u64 cold_at = 0;
};

/// A line that says what and where it is, under `name`, and those of `dumps`, a mask of Dump.
std::string listing_text(const Listing& listing, const ListedCode& code, std::string_view name, u8 dumps);

}  // namespace reprise::jit
