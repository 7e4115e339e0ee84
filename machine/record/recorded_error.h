// A request of a drive's that the host did not carry out, as a recording has it.
#pragma once

#include <string>
#include <vector>

#include "machine/outside/event.h"
#include "machine/storage/counted_image.h"

namespace reprise::machine {

/// "write 4096 at 8192".
std::string describe_request(const DiskError& error);
/// Status and outcome as the answer of an AnswerEvent.
std::vector<u8> error_answer(const DiskError& error);
/// Puts them into `error`. False: it is no such answer.
bool take_error_answer(const AnswerEvent& answer, DiskError& error);

}  // namespace reprise::machine
