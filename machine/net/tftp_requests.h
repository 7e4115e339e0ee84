// Requests for files by TFTP, RFC 1350. libslirp opens what a guest names, wherever links lead and whatever it is; a guest that
// shares the folder could lay links in it to any file of the host, or a pipe that stops the machine.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/types.h"
#include "machine/net/net_config.h"

namespace reprise::machine {

/// What a frame of the guest's asks the TFTP server at `server`, or at any IPv6 address, for. The name is empty if the request
/// is cut up, so that it cannot be told. Nothing: it asks for no file.
std::optional<std::string> tftp_request(std::span<const u8> frame, const Ipv4Address& server);

/// The same request for another name of that length, which a server refuses with an error as it leads out of every folder. Empty: a
/// name of fewer than two bytes.
std::vector<u8> request_to_refuse(std::span<const u8> frame, const Ipv4Address& server);

/// `name` is a file in `folder`, or nothing is there. No: links lead out of it, or it is something else.
bool is_file_within(const std::string& folder, const std::string& name);

}  // namespace reprise::machine
